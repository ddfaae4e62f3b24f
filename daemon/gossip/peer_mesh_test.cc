#include "daemon/gossip/peer_mesh.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/view/cluster_table.h"
#include "daemon/net/memory_transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/plaintext.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

/// The node behind a mesh: knows its cluster, and remembers what reached it.
class Node final : public PeerHandler {
 public:
  explicit Node(NodeInfo self) : self_(std::move(self)), table_(self_) {}

  const NodeInfo& self() const override { return self_; }
  NodeIndex node_seen(NodeInfo info) override { return table_.node_seen(std::move(info)).index; }
  void cluster_changed() override {}
  void node_lost(NodeIndex node, base::Epoch) override {
    table_.node_lost(node);
    ++losses;
  }
  void load_reported(NodeIndex, wire::Load load) override { last_load = load; }
  PlacementRef prepare(PlacementSpec spec) override {
    return std::make_shared<PreparedPlacement>(std::move(spec), 0, 1);
  }
  void admit(const AdmitRequest& request) override {
    admitted.push_back(request.key);
    payloads.emplace_back(wire::as_text(request.payload));
  }
  void cancel_attempt(const AttemptKey& key) override { cancelled.push_back(key); }
  void attempt_started(const AttemptReport&) override {}
  void attempt_result(const AttemptReport& report, wire::Outcome, const TaskError*, Payload payload) override {
    results[report.sequence] = wire::as_text(payload);
  }
  void attempt_redirected(const AttemptReport& report, RedirectReason, base::Duration, Payload payload) override {
    redirected[report.sequence] = wire::as_text(payload);
  }

  std::size_t alive_peers() {
    std::size_t count = 0;
    for (const NodeView& node : table_.view()->nodes()) count += node.alive && node.index != kSelf ? 1 : 0;
    return count;
  }
  NodeIndex index_of(const base::NodeId& id) const { return table_.index_of(id); }

  int losses = 0;
  wire::Load last_load;
  std::vector<AttemptKey> admitted;
  std::vector<std::string> payloads;
  std::vector<AttemptKey> cancelled;
  std::map<std::uint64_t, std::string> results;
  std::map<std::uint64_t, std::string> redirected;

 private:
  NodeInfo self_;
  ClusterTable table_;
};

/// One node of the test, on the loop and network that all share.
struct Member {
  Member(Loop& loop, MemoryNetwork& network, std::uint8_t number, std::vector<std::string> peers,
         std::uint64_t epoch = 1)
      : transport(loop, network, security), node(info(number, epoch)) {
    PeerMeshOptions options;
    options.listen = Address::memory(std::string(1, static_cast<char>('a' + number)));
    for (const std::string& peer : peers) options.peers.push_back(Address::memory(peer));
    options.session.node_id = node.self().id;
    options.session.node_name = node.self().name;
    options.session.epoch = node.self().epoch;
    options.session.ping_interval = 20ms;
    options.session.silence_timeout = 100ms;
    options.session.handshake_timeout = 100ms;
    options.connect_timeout = 100ms;
    options.reconnect_initial = 2ms;
    options.reconnect_max = 10ms;
    options.seed = number;
    mesh = std::make_unique<PeerMesh>(loop, transport, options, node, Logger());
  }

  static NodeInfo info(std::uint8_t number, std::uint64_t epoch) {
    NodeInfo info;
    info.id = id_of(number);
    info.name = std::string(1, static_cast<char>('a' + number));
    info.epoch = base::Epoch{epoch};
    return info;
  }
  static base::NodeId id_of(std::uint8_t number) {
    base::NodeId id;
    id.bytes[15] = static_cast<std::uint8_t>(number + 1);
    return id;
  }

  PlaintextProvider security{PlaintextProvider::Policy::kThisHostOnly};
  MemoryTransport transport;
  Node node;
  std::unique_ptr<PeerMesh> mesh;
};

class PeerMeshTest : public testing::Test {
 protected:
  bool until(const std::function<bool()>& done) { return loop.run_until(done, 10s); }
  /// Lets everything that is due happen, with room for timers.
  void settle() {
    loop.run_until([] { return false; }, 50ms);
  }

  Loop loop;
  MemoryNetwork network;
};

TEST_F(PeerMeshTest, NodesThatDialEachOtherAtOnceEndWithOneConnectionAndLoseNothing) {
  Member a(loop, network, 0, {"b"});
  Member b(loop, network, 1, {"a"});
  ASSERT_TRUE(a.mesh->start().ok());
  ASSERT_TRUE(b.mesh->start().ok());
  ASSERT_TRUE(until([&] { return a.node.alive_peers() == 1 && b.node.alive_peers() == 1; }));
  settle();
  EXPECT_EQ(a.mesh->connected_count(), 1U);
  EXPECT_EQ(b.mesh->connected_count(), 1U);
  EXPECT_EQ(a.mesh->peers().size(), 1U);
  EXPECT_EQ(a.node.losses + b.node.losses, 0) << "the choice is made before anything is lost by it";
}

TEST_F(PeerMeshTest, AFullMeshOfFiveConnectsWhoeverListsWhom) {
  std::vector<std::unique_ptr<Member>> members;
  const std::vector<std::string> all = {"a", "b", "c", "d", "e"};  // each lists itself too
  for (std::uint8_t i = 0; i < 5; ++i) members.push_back(std::make_unique<Member>(loop, network, i, all));
  for (const auto& member : members) ASSERT_TRUE(member->mesh->start().ok());
  ASSERT_TRUE(until([&] {
    return std::all_of(members.begin(), members.end(),
                       [](const auto& member) { return member->node.alive_peers() == 4; });
  }));
  settle();
  for (const auto& member : members) {
    EXPECT_EQ(member->mesh->connected_count(), 4U);
    EXPECT_EQ(member->node.losses, 0);
  }
}

TEST_F(PeerMeshTest, AttemptsTravelOverAConnectionThatTheOtherSideDialed) {
  Member a(loop, network, 0, {});
  Member b(loop, network, 1, {"a"});
  ASSERT_TRUE(a.mesh->start().ok());
  ASSERT_TRUE(b.mesh->start().ok());
  ASSERT_TRUE(until([&] { return a.node.alive_peers() == 1 && b.node.alive_peers() == 1; }));
  const NodeIndex to_b = a.node.index_of(Member::id_of(1));
  PlacementSpec spec;
  spec.function_name = "f";
  const PreparedPlacement placement(spec, 0, 1);
  ASSERT_TRUE(a.mesh->send_attempt(to_b, placement, 42, 1, 0ms, {}, wire::as_span("arguments")));
  ASSERT_TRUE(until([&] { return b.node.admitted.size() == 1; }));
  EXPECT_EQ(b.node.payloads[0], "arguments");
  EXPECT_EQ(b.node.admitted[0].sequence, 42U);
  b.mesh->reply_result(b.node.admitted[0], wire::Outcome::kSucceeded, nullptr, wire::as_span("42"), {1, 8});
  ASSERT_TRUE(until([&] { return a.node.results.contains(42); }));
  EXPECT_EQ(a.node.results[42], "42");
  EXPECT_EQ(a.node.last_load, (wire::Load{1, 8}));
  a.mesh->send_cancel(to_b, 42, 1);
  ASSERT_TRUE(until([&] { return b.node.cancelled.size() == 1; }));
}

TEST_F(PeerMeshTest, AKilledConnectionIsALossAndIsMadeAgain) {
  Member a(loop, network, 0, {});
  Member b(loop, network, 1, {"a"});
  ASSERT_TRUE(a.mesh->start().ok());
  ASSERT_TRUE(b.mesh->start().ok());
  ASSERT_TRUE(until([&] { return a.node.alive_peers() == 1 && b.node.alive_peers() == 1; }));
  network.kill("a");
  ASSERT_TRUE(until([&] { return a.node.losses == 1 && b.node.losses == 1; }));
  ASSERT_TRUE(until([&] { return a.node.alive_peers() == 1 && b.node.alive_peers() == 1; }));
  ASSERT_TRUE(until([&] { return a.mesh->counters().lost_closed == 1; }));
}

TEST_F(PeerMeshTest, ASilentPeerIsLostAndTakenBackWhenItSpeaksAgain) {
  Member a(loop, network, 0, {});
  Member b(loop, network, 1, {"a"});
  ASSERT_TRUE(a.mesh->start().ok());
  ASSERT_TRUE(b.mesh->start().ok());
  ASSERT_TRUE(until([&] { return a.node.alive_peers() == 1 && b.node.alive_peers() == 1; }));
  network.set_black_hole("a", true);
  ASSERT_TRUE(until([&] { return a.node.losses == 1 && b.node.losses == 1; }));
  ASSERT_TRUE(until([&] { return b.mesh->counters().lost_silent == 1; })) << "counted when its connection has lingered";
  network.set_black_hole("a", false);
  ASSERT_TRUE(until([&] { return a.node.alive_peers() == 1 && b.node.alive_peers() == 1; }));
}

TEST_F(PeerMeshTest, ALaterLifeReplacesTheFormerAndAnEarlierOneIsRefused) {
  Member a(loop, network, 0, {});
  ASSERT_TRUE(a.mesh->start().ok());
  auto first = std::make_unique<Member>(loop, network, 1, std::vector<std::string>{"a"}, 1);
  ASSERT_TRUE(first->mesh->start().ok());
  ASSERT_TRUE(until([&] { return a.node.alive_peers() == 1; }));
  // The same node of a later start, under another address: the former connection is still there.
  Member second(loop, network, 1, {"a"}, 2);
  second.mesh = nullptr;
  PeerMeshOptions options;
  options.peers = {Address::memory("a")};
  options.session.node_id = second.node.self().id;
  options.session.node_name = "b";
  options.session.epoch = base::Epoch{2};
  second.mesh = std::make_unique<PeerMesh>(loop, second.transport, options, second.node, Logger());
  ASSERT_TRUE(second.mesh->start().ok());
  ASSERT_TRUE(until([&] { return a.node.losses == 1 && second.node.alive_peers() == 1; }));
  settle();
  EXPECT_EQ(a.mesh->connected_count(), 1U);
  EXPECT_EQ(first->mesh->connected_count(), 0U) << "the former life keeps knocking, and is refused";
}

TEST_F(PeerMeshTest, PingMeasuresARoundTripAndSaysWhenThereIsNoConnection) {
  Member a(loop, network, 0, {});
  Member b(loop, network, 1, {"a"});
  ASSERT_TRUE(a.mesh->start().ok());
  ASSERT_TRUE(b.mesh->start().ok());
  ASSERT_TRUE(until([&] { return a.node.alive_peers() == 1 && b.node.alive_peers() == 1; }));
  std::optional<base::StatusOr<base::Duration>> answer;
  const auto keep = [&](base::StatusOr<base::Duration> time) { answer = std::move(time); };
  a.mesh->ping(a.node.index_of(Member::id_of(1)), keep);
  ASSERT_TRUE(until([&] { return answer.has_value(); }));
  EXPECT_TRUE(answer->ok()) << answer->status();
  a.mesh->ping(NodeIndex{77}, keep);
  EXPECT_TRUE(absl::IsUnavailable(answer->status()));
}

TEST_F(PeerMeshTest, GoodbyeEndsAllConnectionsOnBothSides) {
  Member a(loop, network, 0, {});
  Member b(loop, network, 1, {"a"});
  ASSERT_TRUE(a.mesh->start().ok());
  ASSERT_TRUE(b.mesh->start().ok());
  ASSERT_TRUE(until([&] { return a.node.alive_peers() == 1 && b.node.alive_peers() == 1; }));
  a.mesh->stop_connecting();
  a.mesh->close_all("the test is over");
  EXPECT_EQ(a.node.losses, 1) << "what was in flight is settled at once";
  ASSERT_TRUE(until([&] { return b.node.losses == 1; }));
  settle();
  EXPECT_EQ(b.mesh->connected_count(), 0U);
}

}  // namespace
}  // namespace kaido::daemon
