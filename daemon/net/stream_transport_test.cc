// Large payloads over every transport: what passes through a node, what nobody takes, what is cut off.
#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/net/connection.h"
#include "daemon/net/transport_fixture.h"
#include "proto/wire/body.h"
#include "proto/wire/channel.h"
#include "proto/wire/frame.h"
#include "proto/wire/limits.h"
#include "proto/wire/payload.h"
#include "proto/wire/window_budget.h"

namespace kaido::daemon {
namespace {

INSTANTIATE_TEST_SUITE_P(Transports, TransportTest, testing::Values(Kind::kMemory, Kind::kUnix, Kind::kTcp), name_of);

constexpr std::size_t kMiB = 1U << 20;

/// A listener whose connections hand payloads out as they come.
ListenOptions streamed(wire::WindowBudget* budget = nullptr) {
  return {.connection = {.assemble = false, .budget = budget}};
}

/// Drops the payloads of a peer that keeps them, whatever ends the test.
struct Kept {
  std::vector<wire::Payload> payloads;
};

TEST_P(TransportTest, ANodePassesALargePayloadOnAsItComes) {
  Peer client;
  Peer worker;
  worker.keep_payload = true;
  Peer& from = pair(client, streamed());
  Peer& to = pair(worker);
  std::size_t most = 0;
  wire::Body* body = nullptr;
  from.act = [&](Connection&, const FrameView& frame) {
    body = frame.payload.body();
    EXPECT_EQ(to.connection->send(frame.header, frame.metadata, frame.payload), wire::SendResult::kTaken);
  };
  const std::vector<std::byte> big = pattern(40 * kMiB);
  client.connection->send({.kind = FrameKind::kCall, .call_id = 5}, wire::as_span("about"), big);
  ASSERT_TRUE(until([&] {
    most = std::max(most, to.connection->queued_bytes());
    return worker.frames == 1;
  }));
  EXPECT_EQ(worker.last_id, 5U);
  EXPECT_TRUE(worker.payload == big);
  EXPECT_LE(most, wire::kBulkQueuedBytes + 2 * wire::kChunkBytes);
  EXPECT_EQ(client.connection->queued_bytes(), 0U);
}

TEST_P(TransportTest, PayloadsThatNobodyTakesCostOnlyTheirOwnCalls) {
  constexpr std::size_t kCalls = 300;
  Kept kept;
  Peer client;
  listen(streamed());
  ASSERT_TRUE(connect(client, {.queued_bytes_max = 1U << 30}).ok());
  ASSERT_TRUE(until([&] { return servers_.size() == 1; }));
  Peer& server = *servers_[0];
  server.act = [&](Connection& at, const FrameView& frame) {
    if (!frame.payload.is_whole()) return kept.payloads.push_back(frame.payload.kept());
    echo(at, frame);
  };
  const wire::Payload large = wire::Payload::copy_of(pattern(kMiB));
  for (std::size_t i = 0; i < kCalls; ++i)
    ASSERT_EQ(client.connection->send({.kind = FrameKind::kCall}, {}, large), wire::SendResult::kTaken) << i;
  ASSERT_TRUE(until([&] { return kept.payloads.size() == kCalls; }));
  for (std::uint64_t id = 1; id <= 20; ++id) {
    client.connection->send({.kind = FrameKind::kCall, .call_id = id}, {}, wire::as_span("small"));
    ASSERT_TRUE(until([&] { return client.last_id == id; })) << "small calls go on";
  }
  std::size_t pinned = 0;
  for (const wire::Payload& payload : kept.payloads) pinned += payload.footprint();
  EXPECT_LE(pinned, kCalls * (wire::kChunkBytes + 1000)) << "a first chunk each";
  kept.payloads.clear();
  ASSERT_TRUE(until([&] { return client.connection->queued_bytes() == 0; })) << "the rest is not sent";
  EXPECT_LE(client.connection->stats().bytes_out, kCalls * (wire::kChunkBytes + 1000));
  EXPECT_TRUE(client.connection->is_open() && server.connection->is_open());
}

TEST_P(TransportTest, APayloadWhoseSenderIsLostFailsAtItsReceiver) {
  wire::WindowBudget budget(8 * kMiB);
  Peer client;
  Peer worker;
  Peer& from = pair(client, streamed(&budget));
  Peer& to = pair(worker);
  wire::Payload received;
  worker.act = [&](Connection&, const FrameView& frame) { received = frame.payload; };
  from.act = [&](Connection&, const FrameView& frame) {
    to.connection->send(frame.header, frame.metadata, frame.payload);
  };
  client.connection->send({.kind = FrameKind::kCall}, {}, pattern(40 * kMiB));
  ASSERT_TRUE(until([&] { return worker.connection->stats().bytes_in > 2 * kMiB; }));
  client.connection.reset();
  ASSERT_TRUE(until([&] { return worker.frames == 1; }));
  ASSERT_NE(received.body(), nullptr);
  EXPECT_EQ(received.body()->failure(), wire::BodyFailure::kAborted);
  EXPECT_EQ(budget.used(), 0U);
  EXPECT_TRUE(worker.connection->is_open());
  to.connection->send({.kind = FrameKind::kPing});
  ASSERT_TRUE(until([&] { return worker.frames == 2; }));
}

TEST_P(TransportTest, AReceiverThatIsLostStopsTheSenderAlone) {
  Peer client;
  Peer worker;
  Peer& from = pair(client, streamed());
  Peer& to = pair(worker);
  from.act = [&](Connection& at, const FrameView& frame) {
    if (frame.header.kind == FrameKind::kPing) return echo(at, frame);
    to.connection->send(frame.header, frame.metadata, frame.payload);
  };
  client.connection->send({.kind = FrameKind::kCall}, {}, pattern(40 * kMiB));
  ASSERT_TRUE(until([&] { return worker.connection->stats().bytes_in > 2 * kMiB; }));
  worker.connection.reset();
  ASSERT_TRUE(until([&] { return client.connection->queued_bytes() == 0; }));
  EXPECT_LT(client.connection->stats().bytes_out, 38 * kMiB);
  client.connection->send({.kind = FrameKind::kPing});
  ASSERT_TRUE(until([&] { return client.frames == 1; }));
}

}  // namespace
}  // namespace kaido::daemon
