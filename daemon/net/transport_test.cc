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
#include "daemon/net/transport_fixture.h"
#include "daemon/net/unix_transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/plaintext.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/body.h"
#include "proto/wire/channel.h"
#include "proto/wire/frame.h"
#include "proto/wire/memory_budget.h"
#include "proto/wire/payload.h"

namespace kaido::daemon {
namespace {

INSTANTIATE_TEST_SUITE_P(Transports, TransportTest, testing::Values(Kind::kMemory, Kind::kUnix, Kind::kTcp), name_of);

TEST_P(TransportTest, EchoesHeaderMetadataAndPayload) {
  Peer client;
  pair(client);
  FrameView echoed;
  std::string metadata;
  std::string payload;
  client.act = [&](Connection&, const FrameView& frame) {
    echoed.header = frame.header;
    metadata = wire::as_text(frame.metadata);
    payload = wire::as_text(frame.payload.bytes());
  };
  const FrameHeader header{.kind = FrameKind::kCall, .attempt_low = 3, .call_id = 42, .budget_ns = 77};
  client.connection->send(header, wire::as_span("meta"), wire::as_span("payload"));
  ASSERT_TRUE(until([&] { return client.frames == 1; }));
  EXPECT_EQ(echoed.header.call_id, 42U);
  EXPECT_EQ(echoed.header.attempt(), 3U);
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
  EXPECT_EQ(server.connection->send({}), wire::SendResult::kNotOpen);
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

TEST_P(TransportTest, AMessageBeyondTheLimitFailsAloneAndTheConnectionGoesOn) {
  Peer client;
  server_act_ = nullptr;
  Peer& server = pair(client, {.connection = {.frame_bytes_max = 4096}});
  std::vector<wire::Payload> payloads;
  server.act = [&](Connection&, const FrameView& frame) { payloads.push_back(frame.payload); };
  for (const std::size_t size : {std::size_t{8192}, std::size_t{1} << 20, std::size_t{100}})
    client.connection->send({.kind = FrameKind::kCall}, {}, pattern(size));
  ASSERT_TRUE(until([&] { return server.frames == 3; }));
  EXPECT_EQ(payloads[0].body()->failure(), wire::BodyFailure::kTooLarge);
  EXPECT_EQ(payloads[1].body()->failure(), wire::BodyFailure::kTooLarge);
  EXPECT_TRUE(payloads[2].is_whole());
  EXPECT_EQ(server.connection->stream_stats().refused, 1U);
  EXPECT_TRUE(client.connection->is_open());
}

TEST_P(TransportTest, BytesThatAreNoFramesCloseTheConnectionWithAReason) {
  Peer client;
  Peer& server = pair(client);
  // A frame that announces chunks and does not say of what.
  client.connection->send({.kind = FrameKind::kCall, .flags = wire::kStreamed}, {}, pattern(8));
  ASSERT_TRUE(until([&] { return server.closed && client.closed; }));
  EXPECT_EQ(server.frames, 0U);
  EXPECT_EQ(server.why.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(server.why.message().find("in chunks"), std::string::npos) << server.why;
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
    ASSERT_EQ(client.connection->send({.kind = FrameKind::kCall}, {}, chunk), wire::SendResult::kTaken);
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

TEST_P(TransportTest, AFullQueueTakesNoMoreAndTheConnectionGoesOn) {
  Peer client;
  server_act_ = nullptr;
  listen();
  ASSERT_TRUE(connect(client, {.queued_bytes_max = 4U << 20}).ok());
  ASSERT_TRUE(until([&] { return servers_.size() == 1; }));
  Peer& server = *servers_[0];
  server.connection->pause_reading();
  const std::vector<std::byte> chunk = pattern(1U << 20);
  std::uint64_t sent = 0;
  while (client.connection->send({.kind = FrameKind::kCall}, {}, chunk) == wire::SendResult::kTaken)
    ASSERT_LT(++sent, 5U);
  EXPECT_EQ(client.connection->send({.kind = FrameKind::kCall}, {}, chunk), wire::SendResult::kFull);
  server.connection->resume_reading();
  ASSERT_TRUE(until([&] { return server.frames == sent; }));
  EXPECT_EQ(client.connection->send({.kind = FrameKind::kCall}, {}, chunk), wire::SendResult::kTaken);
  ASSERT_TRUE(until([&] { return server.frames == sent + 1; }));
}

// Many small answers that nobody reads are as much memory as a few large ones.
TEST_P(TransportTest, SmallAnswersThatWaitTakeTheirShareOfTheNodesMemoryAndNoMore) {
  wire::MemoryBudget memory(2U << 20);
  server_act_ = nullptr;
  ListenOptions options;
  options.connection.memory = &memory;
  Peer slow;
  Peer other;
  Connection& to_slow = *pair(slow, options).connection;
  Connection& to_other = *pair(other).connection;
  slow.connection->pause_reading();
  const wire::Payload answer = wire::Payload::copy_of(pattern(1000));
  std::uint64_t taken = 0;
  const auto take_turn = [&] {
    bool is_over = false;
    loop_.post([&] { is_over = true; });
    return until([&] { return is_over; });
  };
  while (to_slow.send({.kind = FrameKind::kResult}, {}, answer) == wire::SendResult::kTaken) {
    ASSERT_LT(++taken, 20000U);
    if (taken % 16 != 0) continue;
    ASSERT_TRUE(take_turn());
  }
  EXPECT_EQ(to_slow.send({.kind = FrameKind::kResult}, {}, answer), wire::SendResult::kNoMemory);
  EXPECT_GT(memory.used(wire::MemoryKind::kOutput), memory.max() / 8);
  EXPECT_LT(memory.used(wire::MemoryKind::kOutput), memory.max() / 3);
  EXPECT_TRUE(to_slow.is_congested()) << "so that it is given no more work";
  const FrameHeader error{.kind = FrameKind::kResult, .template_or_status = 6};
  EXPECT_EQ(to_slow.send(error, pattern(200)), wire::SendResult::kTaken) << "said in place of what was not taken";
  EXPECT_EQ(to_other.send({.kind = FrameKind::kResult}, {}, answer), wire::SendResult::kTaken)
      << "whoever reads is not refused what leaves at once";
  ASSERT_TRUE(until([&] { return other.frames == 1; }));
  slow.connection->resume_reading();
  ASSERT_TRUE(until([&] { return slow.frames == taken + 1; }));
  EXPECT_FALSE(to_slow.is_congested());
  EXPECT_EQ(memory.used(), 0U);
}

// Errors are never refused; who makes us say many, and reads none, is not read.
TEST_P(TransportTest, SmallErrorsThatWaitBeyondTheShareMakeTheConnectionCongested) {
  wire::MemoryBudget memory(1U << 20);
  server_act_ = nullptr;
  ListenOptions options;
  options.connection.memory = &memory;
  Peer slow;
  Connection& to_slow = *pair(slow, options).connection;
  slow.connection->pause_reading();
  const FrameHeader error{.kind = FrameKind::kResult, .template_or_status = 10};
  std::uint64_t taken = 0;
  while (!to_slow.is_congested()) {
    ASSERT_EQ(to_slow.send(error, pattern(900), wire::Payload()), wire::SendResult::kTaken);
    ASSERT_LT(++taken, 20000U);
    if (taken % 16 != 0) continue;
    bool is_over = false;
    loop_.post([&] { is_over = true; });
    ASSERT_TRUE(until([&] { return is_over; }));
  }
  EXPECT_LT(to_slow.queued_bytes(), memory.max() / 3) << "a mebibyte in frames is what makes it so elsewhere";
  EXPECT_EQ(to_slow.send(error, pattern(900), wire::Payload()), wire::SendResult::kTaken);
  slow.connection->resume_reading();
  ASSERT_TRUE(until([&] { return slow.frames == taken + 1; }));
  EXPECT_FALSE(to_slow.is_congested());
  EXPECT_EQ(memory.used(), 0U);
}

// However narrow: or what is asked for on and on would run, and its results be thrown away.
TEST_P(TransportTest, AFullQueueOfWhoeverDoesNotReadIsCongested) {
  Peer client;
  server_act_ = nullptr;
  listen();
  ASSERT_TRUE(connect(client, {.queued_bytes_max = 64U << 10}).ok());
  ASSERT_TRUE(until([&] { return servers_.size() == 1; }));
  Peer& server = *servers_[0];
  server.connection->pause_reading();
  const std::vector<std::byte> answer = pattern(1000);
  const auto send = [&] {
    return client.connection->send({.kind = FrameKind::kResult}, {}, wire::Payload::copy_of(answer));
  };
  std::uint64_t sent = 0;
  for (wire::SendResult result = send(); result != wire::SendResult::kFull || !client.connection->is_congested();
       result = send()) {
    if (result == wire::SendResult::kTaken) ++sent;
    ASSERT_LT(sent, 100000U);
    bool is_over = false;
    loop_.post([&] { is_over = true; });
    ASSERT_TRUE(until([&] { return is_over; }));
  }
  EXPECT_LE(client.connection->queued_bytes(), 64U << 10);
  server.connection->resume_reading();
  ASSERT_TRUE(until([&] { return server.frames == sent; }));
  EXPECT_FALSE(client.connection->is_congested());
  EXPECT_EQ(client.drained, 1);
}

TEST_P(TransportTest, BeyondAFullQueueThereIsRoomForAsManyErrorsAsAreReserved) {
  Peer client;
  server_act_ = nullptr;
  listen();
  constexpr std::size_t kReserved = 12U << 20;
  ASSERT_TRUE(connect(client, {.queued_bytes_max = 64U << 10, .reserved_bytes = kReserved}).ok());
  ASSERT_TRUE(until([&] { return servers_.size() == 1; }));
  servers_[0]->connection->pause_reading();
  const std::vector<std::byte> error = pattern(1000);
  const FrameHeader header{.kind = FrameKind::kResult, .template_or_status = 6};
  std::size_t sent = 0;
  while (client.connection->send(header, error, wire::Payload()) == wire::SendResult::kTaken) ASSERT_LT(++sent, 20000U);
  const std::size_t room = kReserved + (64U << 10) - client.connection->queued_bytes();
  EXPECT_LT(room, wire::kHeaderBytes + error.size());
}

TEST_P(TransportTest, AReaderThatTakesNothingForTooLongIsGivenUp) {
  Peer client;
  server_act_ = nullptr;
  listen();
  ASSERT_TRUE(connect(client, {.stalled_after = milliseconds(20)}).ok());
  ASSERT_TRUE(until([&] { return servers_.size() == 1; }));
  servers_[0]->connection->pause_reading();
  const std::vector<std::byte> chunk = pattern(60U << 10);
  for (int i = 0; i < 200; ++i) client.connection->send({.kind = FrameKind::kCall}, {}, chunk);
  ASSERT_TRUE(until([&] { return client.closed; }));
  EXPECT_EQ(client.why.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(client.why.message().find("does not read"), std::string::npos) << client.why;
}

TEST_P(TransportTest, CloseSendsTheRestOfALargePayload) {
  Peer client;
  client.keep_payload = true;
  server_act_ = nullptr;
  Peer& server = pair(client);
  const std::vector<std::byte> big = pattern(12U << 20);
  ASSERT_EQ(server.connection->send({.kind = FrameKind::kResult}, {}, big), wire::SendResult::kTaken);
  server.connection->close(absl::CancelledError("draining"));
  ASSERT_TRUE(until([&] { return client.closed; }));
  EXPECT_EQ(client.frames, 1U);
  EXPECT_TRUE(client.payload == big);
}

TEST_P(TransportTest, SmallFramesOvertakeALargePayload) {
  Peer client;
  server_act_ = nullptr;
  Peer& server = pair(client);
  std::vector<std::uint64_t> order;
  server.act = [&](Connection&, const FrameView& frame) { order.push_back(frame.header.call_id); };
  client.connection->send({.kind = FrameKind::kCall, .call_id = 1}, {}, pattern(16U << 20));
  client.connection->send({.kind = FrameKind::kCall, .call_id = 2}, {}, wire::as_span("small"));
  ASSERT_TRUE(until([&] { return order.size() == 2; }));
  EXPECT_EQ(order.front(), 2U);
  EXPECT_GT(server.connection->last_received(), base::Instant());
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

}  // namespace
}  // namespace kaido::daemon
