// What only sockets, or only one transport, can show.
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
#include "daemon/net/transport_fixture.h"
#include "daemon/net/transport_router.h"
#include "daemon/net/unix_transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/plaintext.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {
namespace {

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
  // A raw client of a server of whose memory others have taken what they may.
  int connect_while_memory_is_short(wire::MemoryBudget& memory, wire::Charge& others) {
    server_act_ = nullptr;
    others.set(6U << 20);
    ListenOptions options;
    options.connection.memory = &memory;
    listen(options);
    return raw_client();
  }
  // So long that some forty of them are a long turn.
  static void take_long(Connection&, const FrameView&) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(500);
    while (std::chrono::steady_clock::now() < end) {
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Sockets, SocketTest, testing::Values(Kind::kUnix, Kind::kTcp), name_of);

// One connection's frames, all of which came with one read, do not hold up another one's for longer than a turn.
TEST_P(SocketTest, ALongTurnLeavesTheRestOfAFloodToTheNextOne) {
  constexpr std::uint64_t kFlood = 1500;
  server_act_ = take_long;
  Peer flooding;
  Peer other;
  Peer& flooded = pair(flooding);
  Peer& quiet = pair(other);
  std::uint64_t before = kFlood;
  quiet.act = [&](Connection&, const FrameView&) { before = flooded.frames; };
  for (std::uint64_t i = 0; i < kFlood; ++i) flooding.connection->send({.kind = FrameKind::kCall, .call_id = i});
  ASSERT_TRUE(until([&] { return flooded.frames != 0; }));
  other.connection->send({.kind = FrameKind::kCall});
  ASSERT_TRUE(until([&] { return before != kFlood || quiet.frames != 0; }));
  EXPECT_LT(before, kFlood) << "the flood came first, to its end";
  ASSERT_TRUE(until([&] { return flooded.frames == kFlood; }));
  EXPECT_EQ(flooded.last_id, kFlood - 1);
}

// The turn was long and nothing is left of what was read: what comes later is read.
TEST_P(SocketTest, ALongTurnThatHandledAllLeavesNothingBehind) {
  constexpr std::uint64_t kFlood = 63;  // where the look at the clock comes, there is none left
  server_act_ = take_long;
  Peer flooding;
  Peer& flooded = pair(flooding);
  for (std::uint64_t i = 0; i < kFlood; ++i) flooding.connection->send({.kind = FrameKind::kCall, .call_id = i});
  ASSERT_TRUE(until([&] { return flooded.frames == kFlood; }));
  flooding.connection->send({.kind = FrameKind::kCall, .call_id = kFlood});
  ASSERT_TRUE(until([&] { return flooded.frames == kFlood + 1; }));
}

// There is no memory for the frame that it has begun: its bytes wait in the kernel, and it is not silent.
TEST_P(SocketTest, WhoIsNotReadForWantOfMemoryIsHeard) {
  constexpr std::size_t kMetadata = 1U << 20;
  wire::MemoryBudget memory(8U << 20);
  wire::Charge others(&memory, {7}, wire::MemoryKind::kInput);
  const int client = connect_while_memory_is_short(memory, others);
  Peer& server = accepted();
  std::vector<std::byte> bytes(wire::kHeaderBytes + kMetadata);
  wire::encode({.length = static_cast<std::uint32_t>(bytes.size()),
                .kind = FrameKind::kCall,
                .metadata_length = kMetadata,
                .call_id = 5},
               std::span<std::byte, wire::kHeaderBytes>(bytes.data(), wire::kHeaderBytes));
  std::size_t sent = 0;
  const auto push = [&] {
    const ssize_t taken = ::send(client, bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken > 0) sent += static_cast<std::size_t>(taken);
  };
  const auto takes_nothing = [&, before = ~std::uint64_t{0}]() mutable {
    push();
    return std::exchange(before, server.connection->stats().bytes_in) == server.connection->stats().bytes_in &&
           memory.refused(wire::MemoryKind::kInput) != 0;
  };
  ASSERT_TRUE(until(takes_nothing));
  const std::uint64_t read = server.connection->stats().bytes_in;
  const base::Instant then = server.connection->last_received();
  ASSERT_TRUE(until([&] { return server.connection->last_received() > then; }));
  EXPECT_EQ(server.connection->stats().bytes_in, read) << "nothing was read";
  others.set(0);
  ASSERT_TRUE(until([&] {
    push();
    return server.frames == 1;
  }));
  ::close(client);
}

// What is as small as a chunk passes all the same.
TEST_P(SocketTest, WithoutMemoryLittleIsKeptOfAFrameThatHasBegun) {
  wire::MemoryBudget memory(8U << 20);
  wire::Charge others(&memory, {7}, wire::MemoryKind::kInput);
  const int client = connect_while_memory_is_short(memory, others);
  Peer& server = accepted();
  constexpr std::size_t kSmall = wire::kLeastReadBytes - wire::kHeaderBytes;
  constexpr std::size_t kLarge = wire::kReadBytes - wire::kHeaderBytes;
  std::vector<std::byte> bytes;
  for (const std::size_t metadata : {kSmall, kSmall, kLarge}) {
    bytes.resize(bytes.size() + wire::kHeaderBytes + metadata);
    wire::encode({.length = static_cast<std::uint32_t>(wire::kHeaderBytes + metadata),
                  .kind = FrameKind::kCall,
                  .metadata_length = static_cast<std::uint32_t>(metadata)},
                 std::span<std::byte, wire::kHeaderBytes>(bytes.data() + bytes.size() - metadata - wire::kHeaderBytes,
                                                          wire::kHeaderBytes));
  }
  std::size_t sent = 0;
  const auto push = [&] {
    const ssize_t taken = ::send(client, bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken > 0) sent += static_cast<std::size_t>(taken);
  };
  ASSERT_TRUE(until([&] {
    push();
    EXPECT_LE(memory.used(wire::MemoryKind::kInput), others.bytes() + wire::kLeastReadBytes);
    return server.frames == 2 && memory.refused(wire::MemoryKind::kInput) != 0;
  }));
  EXPECT_GT(memory.used(wire::MemoryKind::kInput), others.bytes()) << "what was begun counts";
  others.set(0);
  ASSERT_TRUE(until([&] {
    push();
    return server.frames == 3;
  }));
  EXPECT_EQ(memory.used(wire::MemoryKind::kInput), 0U);
  ::close(client);
}

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
  struct stat found{};
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
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(refused.status().message().find("is no socket"), std::string::npos) << refused.status();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_P(UnixTest, SaysWhatIsWrongWithThePath) {
  const auto code = [&](const std::string& path) {
    return transport().listen(Address::unix_socket(path), {}, [](auto) {}).status().code();
  };
  EXPECT_EQ(code(folder_ / "missing" / "s"), absl::StatusCode::kNotFound);
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
