#include "daemon/execution/execution.h"

#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/runtime/loop.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kWorker = 10;
constexpr std::uint32_t kClient = 20;

/// Both ports in one: what would have gone out, as text.
class Outside final : public AppPort, public PeerPort {
 public:
  void deliver(std::uint32_t, std::uint64_t call_id, wire::Outcome outcome, const TaskError* error,
               Payload payload) override {
    delivered[call_id] = std::string(wire::name(outcome)) + " " +
                         (error != nullptr ? error->message : std::string(wire::as_text(payload)));
  }
  void dispatch(std::uint32_t session, std::uint32_t, std::uint64_t call, const AttemptKey&, const base::NodeId&,
                base::Duration, const wire::TraceContext&, Payload payload) override {
    dispatched.push_back({session, call, std::string(wire::as_text(payload))});
  }
  void cancel_at_worker(std::uint32_t, std::uint64_t call) override { cancelled.push_back(call); }

  bool send_attempt(NodeIndex node, const PreparedPlacement&, std::uint64_t sequence, std::uint32_t attempt,
                    base::Duration, const wire::TraceContext&, Payload payload) override {
    if (!is_reachable) return false;
    sent.push_back({node, sequence, attempt, std::string(wire::as_text(payload))});
    return true;
  }
  void send_cancel(NodeIndex, std::uint64_t sequence, std::uint32_t) override { cancels_sent.push_back(sequence); }
  void reply_started(const AttemptKey&, wire::Load) override {}
  void reply_result(const AttemptKey& key, wire::Outcome outcome, const TaskError*, Payload payload,
                    wire::Load) override {
    replies.push_back(std::to_string(key.sequence) + " " + std::string(wire::name(outcome)) + " " +
                      std::string(wire::as_text(payload)));
  }
  void reply_redirect(const AttemptKey& key, RedirectReason reason, base::Duration, Payload payload,
                      wire::Load) override {
    replies.push_back(std::to_string(key.sequence) + " redirect " + std::string(name(reason)) + " " +
                      std::string(wire::as_text(payload)));
  }
  void announce(const NodeInfo& self) override {
    ++announcements;
    announced = self;
  }

  struct Dispatch {
    std::uint32_t session;
    std::uint64_t call;
    std::string payload;
  };
  struct Sent {
    NodeIndex node;
    std::uint64_t sequence;
    std::uint32_t attempt;
    std::string payload;
  };
  std::map<std::uint64_t, std::string> delivered;
  std::vector<Dispatch> dispatched;
  std::vector<std::uint64_t> cancelled;
  std::vector<Sent> sent;
  std::vector<std::uint64_t> cancels_sent;
  std::vector<std::string> replies;
  bool is_reachable = true;
  int announcements = 0;
  NodeInfo announced;
};

class ExecutionTest : public testing::Test {
 protected:
  static ExecutionOptions options() {
    ExecutionOptions options;
    options.self.id.bytes[0] = 1;
    options.self.name = "self";
    options.self.epoch = base::Epoch{1};
    return options;
  }
  static FunctionInfo function() { return {base::FunctionId{7}, "f", 70, "() -> int64"}; }

  void offer_here() { ASSERT_TRUE(execution.offer(kWorker, {function()}, 8).ok()); }
  NodeIndex peer_joins(std::uint8_t number, std::uint64_t epoch = 1) {
    NodeInfo info;
    info.id.bytes[0] = number;
    info.name = "peer" + std::to_string(number);
    info.epoch = base::Epoch{epoch};
    info.slots = 8;
    info.functions = {function()};
    const NodeIndex index = execution.node_seen(info);
    execution.cluster_changed();
    return index;
  }
  void call(std::uint64_t id, bool idempotent = false) {
    PlacementSpec spec;
    spec.function = base::FunctionId{7};
    spec.function_name = "f";
    spec.fingerprint = 70;
    spec.idempotent = idempotent;
    SubmitRequest request;
    request.session = kClient;
    request.call_id = id;
    request.placement = execution.prepare(spec);
    request.payload = wire::as_span("arguments");
    EXPECT_TRUE(execution.submit(request));
  }

  Loop loop;
  Outside outside;
  Execution execution{loop, options(), outside, outside};
};

TEST_F(ExecutionTest, ACallToThisNodesWorkerGoesThroughInOneGo) {
  offer_here();
  call(1);
  ASSERT_EQ(outside.dispatched.size(), 1U);
  EXPECT_EQ(outside.dispatched[0].session, kWorker);
  EXPECT_EQ(outside.dispatched[0].payload, "arguments");
  EXPECT_TRUE(execution.worker_result(kWorker, outside.dispatched[0].call, wire::Outcome::kSucceeded, nullptr,
                                      wire::as_span("42")));
  EXPECT_EQ(outside.delivered[1], "succeeded 42");
  EXPECT_TRUE(execution.is_idle());
  EXPECT_EQ(execution.durations().task.count(), 1U);
  EXPECT_EQ(execution.durations().run.count(), 1U);
}

TEST_F(ExecutionTest, ACallGoesToThePeerThatOffersAndItsResultComesBack) {
  const NodeIndex peer = peer_joins(2);
  call(1);
  ASSERT_EQ(outside.sent.size(), 1U);
  EXPECT_EQ(outside.sent[0].node, peer);
  EXPECT_EQ(outside.sent[0].payload, "arguments");
  execution.attempt_result({peer, base::Epoch{1}, outside.sent[0].sequence, outside.sent[0].attempt},
                           wire::Outcome::kSucceeded, nullptr, wire::as_span("42"));
  EXPECT_EQ(outside.delivered[1], "succeeded 42");
}

TEST_F(ExecutionTest, AnUnreachablePeerIsAskedNoFurtherAndTheCallFailsWithTheReason) {
  peer_joins(2);
  outside.is_reachable = false;
  call(1);
  ASSERT_TRUE(outside.delivered.contains(1)) << "no call may hang";
  EXPECT_NE(outside.delivered[1].rfind("succeeded", 0), 0U);
}

TEST_F(ExecutionTest, ALostPeersAttemptsAreSettledOrStartedElsewhere) {
  const NodeIndex first = peer_joins(2);
  call(1, /*idempotent=*/false);
  call(2, /*idempotent=*/true);
  ASSERT_EQ(outside.sent.size(), 2U);
  const NodeIndex second = peer_joins(3);
  execution.node_lost(first, base::Epoch{1});
  EXPECT_EQ(outside.delivered[1].rfind("node lost", 0), 0U) << outside.delivered[1];
  ASSERT_EQ(outside.sent.size(), 3U);
  EXPECT_EQ(outside.sent[2].node, second);
  EXPECT_EQ(outside.sent[2].payload, "arguments");
}

TEST_F(ExecutionTest, ForeignAttemptsRunHereAndAreAnsweredToTheirOrigin) {
  offer_here();
  const NodeIndex origin = peer_joins(2);
  PlacementSpec spec;
  spec.function = base::FunctionId{7};
  const PlacementRef placement = execution.prepare(spec);
  AdmitRequest request;
  request.key = {origin, 1, base::Epoch{1}, 42};
  request.placement = placement.get();
  request.payload = wire::as_span("arguments");
  execution.admit(request);
  ASSERT_EQ(outside.dispatched.size(), 1U);
  execution.worker_result(kWorker, outside.dispatched[0].call, wire::Outcome::kSucceeded, nullptr, wire::as_span("42"));
  EXPECT_EQ(outside.replies, std::vector<std::string>{"42 succeeded 42"});
}

TEST_F(ExecutionTest, AWorkersEndFailsItsAttemptsAndTakesItsFunctionsBack) {
  offer_here();
  call(1);
  execution.session_closed(kWorker);
  EXPECT_EQ(outside.delivered[1].rfind("app lost", 0), 0U) << outside.delivered[1];
  call(2);
  EXPECT_EQ(outside.delivered[2].rfind("unschedulable", 0), 0U) << outside.delivered[2];
}

TEST_F(ExecutionTest, AClientsEndCancelsWhatItHadInFlight) {
  offer_here();
  call(1);
  execution.session_closed(kClient);
  EXPECT_EQ(outside.cancelled, std::vector<std::uint64_t>{outside.dispatched[0].call});
  EXPECT_TRUE(outside.delivered.empty());
}

TEST_F(ExecutionTest, ChangesAreAnnouncedOncePerTurn) {
  ASSERT_TRUE(execution.offer(kWorker, {function()}, 8).ok());
  FunctionInfo other{base::FunctionId{8}, "g", 80, "() -> int64"};
  ASSERT_TRUE(execution.offer(kWorker + 1, {other}, 4).ok());
  EXPECT_EQ(outside.announcements, 0);
  execution.on_turn_end(loop.now());
  EXPECT_EQ(outside.announcements, 1);
  EXPECT_EQ(outside.announced.functions.size(), 2U);
  EXPECT_EQ(outside.announced.slots, 12U);
}

TEST_F(ExecutionTest, ADrainingNodeFinishesWhatRunsAndRefusesWhatIsNew) {
  offer_here();
  call(1);
  execution.drain(loop.now() + 1h);
  EXPECT_TRUE(execution.is_draining());
  EXPECT_FALSE(execution.is_idle());
  call(2);
  EXPECT_EQ(outside.delivered[2].rfind("unavailable", 0), 0U) << outside.delivered[2];
  execution.worker_result(kWorker, outside.dispatched[0].call, wire::Outcome::kSucceeded, nullptr, wire::as_span("42"));
  EXPECT_EQ(outside.delivered[1], "succeeded 42");
  EXPECT_TRUE(execution.is_idle());
  execution.on_turn_end(loop.now());
  EXPECT_TRUE(outside.announced.draining);
}

}  // namespace
}  // namespace kaido::daemon
