// One suite for every transport: what a shell may rely on must hold over memory, Unix sockets and TCP alike.
#include "daemon/net/transport.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/net/address.h"
#include "daemon/net/connection.h"
#include "daemon/net/memory_transport.h"
#include "daemon/net/tcp_transport.h"
#include "daemon/net/transport_router.h"
#include "daemon/net/unix_transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/plaintext.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"

namespace kaido::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::FrameHeader;
using wire::FrameKind;
using wire::FrameView;

constexpr base::Duration kLimit = seconds(30);

/// An owner that records what it is told and can be given something to do.
struct Peer final : ConnectionHandler {
  void on_frame(Connection& at, const FrameView& frame) override {
    EXPECT_FALSE(closed) << "a frame after the end";
    ++frames;
    payload_bytes += frame.payload.size();
    last_id = frame.header.call_id;
    if (keep_payload) payload.assign(frame.payload.begin(), frame.payload.end());
    if (act) act(at, frame);
  }
  void on_drained(Connection&) override { ++drained; }
  void on_malformed(Connection& at, const base::Status&) override { at.send({.kind = FrameKind::kGoodbye}); }
  void on_closed(Connection&, const base::Status& reason) override {
    EXPECT_FALSE(closed) << "the end came twice";
    closed = true;
    why = reason;
    if (on_end) on_end();
  }

  std::unique_ptr<Connection> connection;
  std::function<void(Connection&, const FrameView&)> act;
  std::function<void()> on_end;
  std::uint64_t frames = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t last_id = 0;
  bool keep_payload = false;
  std::vector<std::byte> payload;
  int drained = 0;
  bool closed = false;
  base::Status why;
};

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + (i >> 8));
  return bytes;
}

void echo(Connection& at, const FrameView& frame) { EXPECT_TRUE(at.send(frame.header, frame.metadata, frame.payload)); }

enum class Kind { kMemory, kUnix, kTcp };

std::string name_of(const testing::TestParamInfo<Kind>& info) {
  return std::array{"Memory", "Unix", "Tcp"}.at(static_cast<std::size_t>(info.param));
}

class TransportTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("kaido-net-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    listener_.reset();
    std::filesystem::remove_all(folder_);
  }

  Transport& transport() {
    if (GetParam() == Kind::kMemory) return memory_;
    if (GetParam() == Kind::kUnix) return unix_;
    return tcp_;
  }
  Address to_listen_on() const {
    if (GetParam() == Kind::kMemory) return Address::memory("node");
    if (GetParam() == Kind::kUnix) return Address::unix_socket(folder_ / "s");
    return Address::tcp("127.0.0.1", 0);
  }

  void listen(ListenOptions options = {}) {
    auto listener = transport().listen(to_listen_on(), options, [this](std::unique_ptr<Connection> accepted) {
      auto peer = std::make_unique<Peer>();
      peer->connection = std::move(accepted);
      peer->act = server_act_;
      peer->connection->start(*peer);
      servers_.push_back(std::move(peer));
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  base::Status connect(Peer& client, ConnectionOptions options = {}, base::Duration within = kLimit) {
    bool answered = false;
    base::Status result;
    const auto operation =
        transport().connect(listener_->address(), loop_.now() + within, options, [&](auto connection) {
          answered = true;
          if (!connection.ok()) {
            result = connection.status();
            return;
          }
          client.connection = *std::move(connection);
          client.connection->start(client);
        });
    EXPECT_FALSE(answered) << "connect() called back from inside";
    EXPECT_TRUE(until([&] { return answered; }));
    return result;
  }

  // A client and the server's side of it.
  Peer& pair(Peer& client, ListenOptions options = {}) {
    if (listener_ == nullptr) listen(options);
    const std::size_t before = servers_.size();
    EXPECT_TRUE(connect(client).ok());
    EXPECT_TRUE(until([&] { return servers_.size() > before; }));
    return *servers_.back();
  }

  bool until(const std::function<bool()>& done) { return loop_.run_until(done, kLimit); }

  Loop loop_;
  PlaintextProvider security_{PlaintextProvider::Policy::kThisHostOnly};
  MemoryNetwork network_;
  MemoryTransport memory_{loop_, network_, security_};
  UnixTransport unix_{loop_, security_};
  TcpTransport tcp_{loop_, security_};
  std::filesystem::path folder_;
  std::function<void(Connection&, const FrameView&)> server_act_ = echo;
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<Peer>> servers_;
};

INSTANTIATE_TEST_SUITE_P(Transports, TransportTest, testing::Values(Kind::kMemory, Kind::kUnix, Kind::kTcp),
                         name_of);

TEST_P(TransportTest, EchoesHeaderMetadataAndPayload) {
  Peer client;
  pair(client);
  FrameView echoed;
  std::string metadata;
  std::string payload;
  client.act = [&](Connection&, const FrameView& frame) {
    echoed.header = frame.header;
    metadata = wire::as_text(frame.metadata);
    payload = wire::as_text(frame.payload);
  };
  const FrameHeader header{.kind = FrameKind::kCall, .attempt = 3, .call_id = 42, .budget_ns = 77};
  client.connection->send(header, wire::as_span("meta"), wire::as_span("payload"));
  ASSERT_TRUE(until([&] { return client.frames == 1; }));
  EXPECT_EQ(echoed.header.call_id, 42U);
  EXPECT_EQ(echoed.header.attempt, 3);
  EXPECT_EQ(echoed.header.budget_ns, 77U);
  EXPECT_EQ(metadata, "meta");
  EXPECT_EQ(payload, "payload");
}

TEST_P(TransportTest, ManyFramesOfATurnTravelTogether) {
  constexpr std::uint64_t kFrames = 2000;
  Peer client;
  Peer& server = pair(client);
  const auto flushes = loop_.stats().flushes;
  loop_.post([&] {
    for (std::uint64_t id = 1; id <= kFrames; ++id) client.connection->send({.kind = FrameKind::kCall, .call_id = id});
  });
  ASSERT_TRUE(until([&] { return client.frames == kFrames; }));
  EXPECT_EQ(client.last_id, kFrames);
  EXPECT_EQ(server.connection->stats().frames_in, kFrames);
  EXPECT_EQ(client.connection->stats().bytes_out, kFrames * wire::kHeaderBytes);
  EXPECT_LT(loop_.stats().flushes - flushes, 40U);  // one each way would do; a write per frame would be 4000
}

TEST_P(TransportTest, CarriesSixteenMebibytes) {
  const std::vector<std::byte> big = pattern(16U << 20);
  Peer client;
  client.keep_payload = true;
  pair(client);
  client.connection->send({.kind = FrameKind::kCall}, {}, big);
  ASSERT_TRUE(until([&] { return client.frames == 1; }));
  EXPECT_TRUE(client.payload == big);
}

TEST_P(TransportTest, CloseDeliversWhatWasQueuedAndEndsBothSides) {
  Peer client;
  Peer& server = pair(client);
  const std::vector<std::byte> last_words = pattern(300'000);
  server.connection->send({.kind = FrameKind::kGoodbye}, {}, last_words);
  server.connection->close(absl::CancelledError("draining"));
  EXPECT_FALSE(server.connection->is_open());
  EXPECT_FALSE(server.connection->send({}));
  EXPECT_FALSE(server.closed) << "on_closed() from inside close()";
  ASSERT_TRUE(until([&] { return client.closed; }));
  EXPECT_EQ(client.payload_bytes, last_words.size());
  EXPECT_EQ(client.why.code(), absl::StatusCode::kUnavailable);
  client.connection.reset();
  ASSERT_TRUE(until([&] { return server.closed; }));
  EXPECT_EQ(server.why, absl::CancelledError("draining"));
}

TEST_P(TransportTest, CloseByTheClientIsSeenByTheServer) {
  Peer client;
  Peer& server = pair(client);
  client.connection->close(absl::OkStatus());
  ASSERT_TRUE(until([&] { return server.closed && client.closed; }));
  EXPECT_EQ(server.why.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(client.why.ok());
}

TEST_P(TransportTest, CloseDoesNotWaitForEverForAPeerThatDoesNotRead) {
  Peer client;
  Peer& server = pair(client);
  server.connection->pause_reading();
  client.connection->send({.kind = FrameKind::kCall}, {}, pattern(16U << 20));
  client.connection->close(absl::CancelledError("enough"));
  ASSERT_TRUE(until([&] { return client.closed; }));
  EXPECT_EQ(client.why, absl::CancelledError("enough"));
  EXPECT_FALSE(server.closed);
}

TEST_P(TransportTest, DestroyingAConnectionEndsTheOtherSide) {
  Peer client;
  Peer& server = pair(client);
  client.connection.reset();
  ASSERT_TRUE(until([&] { return server.closed; }));
  EXPECT_FALSE(client.closed);
}

TEST_P(TransportTest, BytesThatAreNoFramesCloseTheConnectionWithAReason) {
  Peer client;
  Peer& server = pair(client, {.connection = {.frame_bytes_max = 4096}});
  client.connection->send({.kind = FrameKind::kCall}, {}, pattern(8192));
  ASSERT_TRUE(until([&] { return server.closed && client.closed; }));
  EXPECT_EQ(server.frames, 0U);
  EXPECT_EQ(server.why.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(server.why.message().find("exceeds max_frame_bytes 4096"), std::string::npos) << server.why;
  EXPECT_EQ(client.frames, 1U) << "the Goodbye of on_malformed() did not arrive";
}

TEST_P(TransportTest, ASlowReaderCongestsTheSenderUntilItReads) {
  Peer client;
  server_act_ = nullptr;
  Peer& server = pair(client);
  server.connection->pause_reading();
  const std::vector<std::byte> chunk = pattern(64U << 10);
  std::uint64_t sent = 0;
  while (!client.connection->is_congested() || sent < 100) {
    ASSERT_TRUE(client.connection->send({.kind = FrameKind::kCall}, {}, chunk));
    ++sent;
  }
  EXPECT_FALSE(loop_.run_until([&] { return client.drained > 0; }, milliseconds(20)));
  EXPECT_TRUE(client.connection->is_congested());
  EXPECT_EQ(server.frames, 0U);
  server.connection->resume_reading();
  ASSERT_TRUE(until([&] { return server.frames == sent; }));
  EXPECT_EQ(server.payload_bytes, sent * chunk.size());
  EXPECT_EQ(client.drained, 1);
  EXPECT_FALSE(client.connection->is_congested());
}

TEST_P(TransportTest, AStalledReaderIsGivenUpAtTheBound) {
  Peer client;
  listen();
  ASSERT_TRUE(connect(client, {.queued_bytes_max = 4U << 20}).ok());
  ASSERT_TRUE(until([&] { return servers_.size() == 1; }));
  servers_[0]->connection->pause_reading();
  const std::vector<std::byte> chunk = pattern(1U << 20);
  int sent = 0;
  while (client.connection->send({.kind = FrameKind::kCall}, {}, chunk)) ASSERT_LT(++sent, 5);
  ASSERT_TRUE(until([&] { return client.closed; }));
  EXPECT_EQ(client.why.code(), absl::StatusCode::kResourceExhausted);
}

TEST_P(TransportTest, PausingInsideOnFrameKeepsTheRestForLater) {
  Peer client;
  server_act_ = [](Connection& at, const FrameView& frame) {
    if (frame.header.call_id == 3) at.pause_reading();
  };
  Peer& server = pair(client);
  loop_.post([&] {
    for (std::uint64_t id = 1; id <= 10; ++id) client.connection->send({.kind = FrameKind::kCall, .call_id = id});
  });
  ASSERT_TRUE(until([&] { return server.frames == 3; }));
  EXPECT_FALSE(loop_.run_until([&] { return server.frames > 3; }, milliseconds(10)));
  server.connection->resume_reading();
  ASSERT_TRUE(until([&] { return server.frames == 10; }));
}

TEST_P(TransportTest, AHandlerMayCloseOrDestroyAnyConnectionInsideOnFrame) {
  Peer clients[3];
  for (Peer& client : clients) pair(client);
  // The first frame of the turn's first connection ends all three in three ways, further frames of theirs unread.
  bool acted = false;
  const auto act = [&](Connection& at, const FrameView&) {
    EXPECT_FALSE(acted) << "a frame after the end";
    acted = true;
    for (const auto& server : servers_) {
      if (server->connection.get() == &at) continue;
      if (&server == &servers_.front()) {
        server->connection->close(absl::CancelledError("other"));
      } else {
        server->connection.reset();
      }
    }
    for (const auto& server : servers_) {
      if (server->connection.get() == &at) server->connection.reset();  // itself, last
    }
  };
  for (const auto& server : servers_) server->act = act;
  loop_.post([&] {
    for (Peer& client : clients) {
      for (int i = 0; i < 5; ++i) client.connection->send({.kind = FrameKind::kCall});
    }
  });
  ASSERT_TRUE(until([&] { return clients[0].closed && clients[1].closed && clients[2].closed; }));
  EXPECT_TRUE(acted);
}

TEST_P(TransportTest, AHandlerMayDestroyItsConnectionInsideOnClosed) {
  Peer client;
  Peer& server = pair(client);
  server.on_end = [&] { server.connection.reset(); };
  client.on_end = [&] { client.connection.reset(); };
  client.connection->close(absl::OkStatus());
  ASSERT_TRUE(until([&] { return server.connection == nullptr && client.connection == nullptr; }));
}

TEST_P(TransportTest, ServesAThousandConnections) {
  constexpr std::size_t kConnections = 1000;
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = std::max<rlim_t>(files.rlim_cur, std::min<rlim_t>(files.rlim_max, 4096));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  listen();
  std::vector<std::unique_ptr<Peer>> clients(kConnections);
  for (auto& client : clients) {
    client = std::make_unique<Peer>();
    ASSERT_TRUE(connect(*client).ok());
  }
  for (auto& client : clients) client->connection->send({.kind = FrameKind::kCall, .call_id = 9});
  ASSERT_TRUE(until([&] {
    for (const auto& client : clients) {
      if (client->frames != 1) return false;
    }
    return true;
  }));
  EXPECT_EQ(listener_->stats().accepted, kConnections);
}

TEST_P(TransportTest, RefusesConnectionsBeyondTheLimitAndTakesThemAgainLater) {
  ListenOptions options;
  options.connections_max = 2;
  listen(options);
  Peer first;
  Peer second;
  Peer third;
  pair(first);
  pair(second);
  ASSERT_TRUE(connect(third).ok());
  ASSERT_TRUE(until([&] { return third.closed; }));
  EXPECT_EQ(listener_->stats().refused_limit, 1U);
  servers_.clear();
  Peer fourth;
  pair(fourth);
  fourth.connection->send({.kind = FrameKind::kCall});
  EXPECT_TRUE(until([&] { return fourth.frames == 1; }));
}

TEST_P(TransportTest, ReconnectsAfterTheListenerCameBack) {
  Peer first;
  pair(first);
  const Address address = listener_->address();
  servers_.clear();
  listener_.reset();
  ASSERT_TRUE(until([&] { return first.closed; }));

  bool refused = false;
  const auto attempt = transport().connect(address, loop_.now() + kLimit, {}, [&](auto connection) {
    refused = true;
    EXPECT_EQ(connection.status().code(), absl::StatusCode::kUnavailable) << connection.status();
    EXPECT_NE(connection.status().message().find(address.to_string()), std::string::npos);
  });
  ASSERT_TRUE(until([&] { return refused; }));

  auto again = transport().listen(address, {}, [this](std::unique_ptr<Connection> accepted) {
    servers_.push_back(std::make_unique<Peer>());
    servers_.back()->act = echo;
    servers_.back()->connection = std::move(accepted);
    servers_.back()->connection->start(*servers_.back());
  });
  ASSERT_TRUE(again.ok()) << again.status();
  listener_ = *std::move(again);
  Peer second;
  ASSERT_TRUE(connect(second).ok());
  second.connection->send({.kind = FrameKind::kCall});
  EXPECT_TRUE(until([&] { return second.frames == 1; }));
}

TEST_P(TransportTest, ASecondListenerOnOneAddressIsRefused) {
  listen();
  const auto second = transport().listen(listener_->address(), {}, [](auto) {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists) << second.status();
}

TEST_P(TransportTest, AnAbandonedConnectCallsNobody) {
  listen();
  auto operation = transport().connect(listener_->address(), loop_.now() + kLimit, {}, [](auto) { FAIL(); });
  operation.reset();
  EXPECT_FALSE(loop_.run_until([] { return false; }, milliseconds(10)));
}

TEST_P(TransportTest, TheListenerMayGoInsideOnAccept) {
  listener_ = *transport().listen(to_listen_on(), {}, [this](std::unique_ptr<Connection> accepted) {
    servers_.push_back(std::make_unique<Peer>());
    servers_.back()->connection = std::move(accepted);
    servers_.back()->connection->start(*servers_.back());
    listener_.reset();
  });
  Peer one;
  ASSERT_TRUE(connect(one).ok());
  ASSERT_TRUE(until([&] { return listener_ == nullptr; }));
  one.connection->send({.kind = FrameKind::kPing});
  EXPECT_TRUE(until([&] { return servers_.at(0)->frames == 1; }));
}

// --- What only sockets, or only one transport, can show ---------------------------------------------------------

class SocketTest : public TransportTest {
 protected:
  // A client without our code: it sends any bytes it likes.
  int raw_client() {
    if (GetParam() == Kind::kUnix) {
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::strcpy(address.sun_path, listener_->address().host().c_str());
      return raw_connect(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(listener_->address().port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return raw_connect(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  static int raw_connect(int family, const sockaddr* address, socklen_t size) {
    const int client = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(client, address, size), 0);
    return client;
  }
  Peer& accepted() {
    EXPECT_TRUE(until([&] { return !servers_.empty(); }));
    return *servers_.back();
  }
};

INSTANTIATE_TEST_SUITE_P(Sockets, SocketTest, testing::Values(Kind::kUnix, Kind::kTcp), name_of);

TEST_P(SocketTest, PutsFramesTogetherByteByByte) {
  listen();
  const int client = raw_client();
  Peer& server = accepted();
  server.keep_payload = true;
  std::array<std::byte, wire::kHeaderBytes + 3> bytes{};
  wire::encode({.length = bytes.size(), .kind = FrameKind::kCall, .call_id = 5},
               std::span<std::byte, wire::kHeaderBytes>(bytes.data(), wire::kHeaderBytes));
  bytes[wire::kHeaderBytes + 2] = std::byte{7};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(server.frames, 0U);
    ASSERT_EQ(::send(client, &bytes[i], 1, MSG_NOSIGNAL), 1);
    ASSERT_TRUE(until([&] { return server.connection->stats().bytes_in == i + 1; }));
  }
  EXPECT_EQ(server.frames, 1U);
  EXPECT_EQ(server.last_id, 5U);
  EXPECT_EQ(server.payload.back(), std::byte{7});
  ::close(client);
}

TEST_P(SocketTest, GarbageHarmsNobodyElse) {
  Peer client;
  pair(client);
  const int vandal = raw_client();
  ASSERT_TRUE(until([&] { return servers_.size() == 2; }));
  const std::string garbage = "GET / HTTP/1.1\r\nHost: kaido\r\nUser-Agent: something that mistook the port\r\n\r\n";
  ASSERT_EQ(::send(vandal, garbage.data(), garbage.size(), MSG_NOSIGNAL), static_cast<ssize_t>(garbage.size()));
  ::shutdown(vandal, SHUT_WR);
  ASSERT_TRUE(until([&] { return servers_[1]->closed; }));
  EXPECT_EQ(servers_[1]->why.code(), absl::StatusCode::kInvalidArgument);
  client.connection->send({.kind = FrameKind::kCall});
  EXPECT_TRUE(until([&] { return client.frames == 1; }));
  ::close(vandal);
}

TEST_P(SocketTest, AnEndInTheMiddleOfAFrameIsNamed) {
  listen();
  const int client = raw_client();
  Peer& server = accepted();
  ASSERT_EQ(::send(client, "abc", 3, MSG_NOSIGNAL), 3);
  ::close(client);
  ASSERT_TRUE(until([&] { return server.closed; }));
  EXPECT_EQ(server.why.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(server.why.message().find("in the middle of a frame"), std::string::npos);
}

// What the other side said last is heard even by one whose write finds it gone.
TEST_P(SocketTest, AGoodbyeIsHeardAfterAFailedWrite) {
  listen();
  const int client = raw_client();
  Peer& server = accepted();
  server.act = nullptr;
  server.connection->pause_reading();
  std::array<std::byte, wire::kHeaderBytes> goodbye{};
  wire::encode({.kind = FrameKind::kGoodbye}, goodbye);
  ASSERT_EQ(::send(client, goodbye.data(), goodbye.size(), MSG_NOSIGNAL), static_cast<ssize_t>(goodbye.size()));
  ::close(client);
  loop_.post([&] {
    server.connection->resume_reading();
    server.connection->send({.kind = FrameKind::kCall});
  });
  ASSERT_TRUE(until([&] { return server.closed; }));
  EXPECT_EQ(server.frames, 1U);
}

TEST_P(SocketTest, RunningOutOfDescriptorsDoesNotKillTheListener) {
  listen();
  const int waiting = raw_client();
  std::vector<int> hoard;
  for (int next = ::dup(0); next >= 0; next = ::dup(0)) hoard.push_back(next);
  EXPECT_TRUE(until([&] { return listener_->stats().accept_errors > 0; }));
  EXPECT_TRUE(servers_.empty());
  for (const int descriptor : hoard) ::close(descriptor);
  EXPECT_TRUE(until([&] { return servers_.size() == 1; }));
  ::close(waiting);
}

class UnixTest : public TransportTest {};
INSTANTIATE_TEST_SUITE_P(Only, UnixTest, testing::Values(Kind::kUnix), name_of);

TEST_P(UnixTest, TellsWhoIsThere) {
  Peer client;
  const Peer& server = pair(client);
  ASSERT_TRUE(server.connection->identity().credentials.has_value());
  EXPECT_EQ(server.connection->identity().credentials->pid, ::getpid());
  EXPECT_EQ(server.connection->identity().credentials->uid, ::getuid());
  EXPECT_EQ(server.connection->remote(), "unix:pid " + std::to_string(::getpid()));
}

TEST_P(UnixTest, SetsTheModeAndRemovesTheFile) {
  ListenOptions options;
  options.unix_mode = 0600;
  listen(options);
  struct stat found {};
  const std::string path = listener_->address().host();
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
  listener_.reset();
  EXPECT_NE(::stat(path.c_str(), &found), 0);
}

TEST_P(UnixTest, ReplacesAStaleSocketOnly) {
  const std::string path = to_listen_on().host();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(dead, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(dead);  // the file stays, as after kill -9
  listen();
  listener_.reset();

  ASSERT_EQ(::close(::open(path.c_str(), O_CREAT | O_WRONLY, 0600)), 0);
  const auto refused = transport().listen(to_listen_on(), {}, [](auto) {});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(refused.status().message().find("is no socket"), std::string::npos) << refused.status();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_P(UnixTest, SaysWhatIsWrongWithThePath) {
  const auto code = [&](const std::string& path) {
    return transport().listen(Address::unix_socket(path), {}, [](auto) {}).status().code();
  };
  EXPECT_EQ(code(folder_ / "missing" / "s"), absl::StatusCode::kUnavailable);
  EXPECT_EQ(code(std::string(200, 'x')), absl::StatusCode::kInvalidArgument);
}

class TcpTest : public TransportTest {};
INSTANTIATE_TEST_SUITE_P(Only, TcpTest, testing::Values(Kind::kTcp), name_of);

TEST_P(TcpTest, PlaintextRefusesOtherHostsBothWays) {
  const auto listener = tcp_.listen(Address::tcp("0.0.0.0", 0), {}, [](auto) {});
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kPermissionDenied);
  base::Status result;
  const auto operation = tcp_.connect(Address::tcp("192.0.2.1", 7400), loop_.now() + kLimit, {},
                                      [&](auto connection) { result = connection.status(); });
  ASSERT_TRUE(until([&] { return !result.ok(); }));
  EXPECT_EQ(result.code(), absl::StatusCode::kPermissionDenied);
}

TEST_P(TcpTest, ResolvesNamesAndSaysWhenItCannot) {
  EXPECT_EQ(tcp_.listen(Address::tcp("host.example", 0), {}, [](auto) {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  base::Status result;
  const auto operation = tcp_.connect(Address::tcp("no such host", 7400), loop_.now() + kLimit, {},
                                      [&](auto connection) { result = connection.status(); });
  ASSERT_TRUE(until([&] { return !result.ok(); }));
  EXPECT_EQ(result.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(result.message().find("cannot resolve tcp:no such host:7400"), std::string::npos) << result;
}

class MemoryTest : public TransportTest {};
INSTANTIATE_TEST_SUITE_P(Only, MemoryTest, testing::Values(Kind::kMemory), name_of);

TEST_P(MemoryTest, KillBreaksBothSides) {
  Peer client;
  Peer& server = pair(client);
  network_.kill("node");
  ASSERT_TRUE(until([&] { return client.closed && server.closed; }));
  EXPECT_EQ(client.why.code(), absl::StatusCode::kUnavailable);
}

TEST_P(MemoryTest, ABlackHoleDeliversLaterAndAnswersNobody) {
  Peer client;
  Peer& server = pair(client);
  network_.set_black_hole("node", true);
  client.connection->send({.kind = FrameKind::kCall});
  Peer late;
  EXPECT_EQ(connect(late, {}, milliseconds(10)).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(server.frames, 0U);
  EXPECT_FALSE(client.closed);
  network_.set_black_hole("node", false);
  EXPECT_TRUE(until([&] { return client.frames == 1; }));
}

TEST_P(MemoryTest, JoinsLoopsOfTwoThreads) {
  listen();
  constexpr std::uint64_t kRounds = 300;
  std::thread other([&] {
    Loop loop;
    MemoryTransport transport(loop, network_, security_);
    Peer client;
    client.act = [&](Connection& at, const FrameView& frame) {
      if (frame.header.call_id < kRounds) at.send({.kind = FrameKind::kCall, .call_id = frame.header.call_id + 1});
    };
    const auto operation = transport.connect(Address::memory("node"), loop.now() + kLimit, {}, [&](auto connection) {
      client.connection = *std::move(connection);
      client.connection->start(client);
      client.connection->send({.kind = FrameKind::kCall, .call_id = 1});
    });
    EXPECT_TRUE(loop.run_until([&] { return client.last_id == kRounds; }, kLimit));
  });
  EXPECT_TRUE(until([&] { return !servers_.empty() && servers_[0]->closed; }));
  other.join();
  EXPECT_EQ(servers_[0]->frames, kRounds);
}

TEST(TransportRouter, PassesOnByKindAndRefusesTheRest) {
  Loop loop;
  PlaintextProvider security(PlaintextProvider::Policy::kThisHostOnly);
  MemoryNetwork network;
  MemoryTransport memory(loop, network, security);
  TransportRouter router(loop);
  router.add(Address::Kind::kMemory, memory);
  const auto listener = router.listen(Address::memory("n"), {}, [](auto) {});
  EXPECT_TRUE(listener.ok());
  EXPECT_EQ(router.listen(Address::tcp("127.0.0.1", 0), {}, [](auto) {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  base::Status result;
  const auto operation = router.connect(Address::tcp("127.0.0.1", 1), loop.now(), {},
                                        [&](auto connection) { result = connection.status(); });
  EXPECT_TRUE(loop.run_until([&] { return !result.ok(); }, kLimit));
  EXPECT_EQ(result.code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kaido::daemon
