/// The daemon by itself and with other daemons: no app is connected.
#include <signal.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "proto/kaido/v1/admin.pb.h"
#include "tests/support/process.h"
#include "tests/support/raw_socket.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cluster.h"
#include "tests/support/wait_until.h"

namespace kaido::test {
namespace {

template <class Message>
Message from_json(const std::string& text) {
  Message message;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // states are words
  const auto status = google::protobuf::util::JsonStringToMessage(text, &message, options);
  EXPECT_TRUE(status.ok()) << status.ToString() << "\n" << text;
  return message;
}

/// The states of the nodes, in their order; JSON has words for them.
std::vector<std::string> states(const std::string& nodes) {
  std::vector<std::string> found;
  const auto document = from_json<google::protobuf::Struct>(nodes);
  for (const auto& node : document.fields().at("nodes").list_value().values()) {
    found.push_back(node.struct_value().fields().at("state").string_value());
  }
  return found;
}

Command kaidod() { return Command(built_program("daemon/kaidod")); }

TEST(Check, AcceptsAGoodFileAndStartsNothing) {
  TestNode node(NodeSpec("a"));
  node.write_config({});
  const auto status = Process(kaidod().argument("--config").argument(node.config_file()).argument("--check")).wait();
  EXPECT_EQ(status, ExitStatus{});
  EXPECT_FALSE(RawSocket::connect_unix(node.app_socket()).is_connected());
}

TEST(Check, RefusesABadFileWithItsPlaceAndACodeThatForbidsRestarts) {
  const TempFolder folder;
  const std::string file = folder.write("bad.yaml", "node:\n  nmae: a\n");
  for (const bool is_check : {true, false}) {
    Command command = kaidod().argument("--config").argument(file).errors(folder / "errors");
    if (is_check) command.argument("--check");
    EXPECT_EQ(Process(command).wait(), (ExitStatus{.code = 78}));
    EXPECT_NE(read_file(folder / "errors").find("bad.yaml:2:3: unknown key \"nmae\""), std::string::npos);
  }
}

TEST(StateFolder, ServesOneDaemonAtATime) {
  TestCluster cluster({NodeSpec("a")});
  const TempFolder folder;
  const Command second = kaidod().argument("--config").argument(cluster["a"].config_file()).errors(folder / "errors");
  EXPECT_EQ(Process(second).wait(), (ExitStatus{.code = 1}));
  EXPECT_NE(read_file(folder / "errors").find("state"), std::string::npos) << read_file(folder / "errors");
  EXPECT_TRUE(cluster["a"].is_ready());
  EXPECT_TRUE(RawSocket::connect_unix(cluster["a"].app_socket()).is_connected());
}

TEST(Plaintext, IsSaidInTheLogAndByStatusWhereANodeOnlyDialsToo) {
  TestCluster cluster({NodeSpec("a"), NodeSpec("b").peers_over_unix()});
  const std::string listens = "every user of this host can pose as a node, call every function and forge results";
  const std::string dials = "whichever user of this host listens at " + cluster["a"].peer_address() + " can pose as";
  for (const auto& [name, words] : {std::pair{"a", listens}, std::pair{"b", dials}}) {
    EXPECT_NE(cluster[name].log().find(words), std::string::npos) << cluster[name].log();
    EXPECT_NE(cluster[name].ctl("status").find(words), std::string::npos) << cluster[name].ctl("status");
  }
}

TEST(Restart, KeepsTheIdAndRaisesTheEpoch) {
  TestCluster cluster({NodeSpec("a")});
  const auto before = from_json<v1::StatusResponse>(cluster["a"].ctl("status"));
  cluster["a"].kill();
  ASSERT_TRUE(cluster["a"].start());
  const auto after = from_json<v1::StatusResponse>(cluster["a"].ctl("status"));
  EXPECT_EQ(after.node_id(), before.node_id());
  EXPECT_EQ(after.epoch(), before.epoch() + 1);
}

TEST(Stop, EndsAtOnceWhenNothingRunsAndTakesItsSocketsAlong) {
  TestCluster cluster({NodeSpec("a")});
  cluster["a"].process().send(SIGTERM);
  EXPECT_EQ(cluster["a"].process().wait(), ExitStatus{});
  EXPECT_FALSE(RawSocket::connect_unix(cluster["a"].app_socket()).is_connected());
}

class Peers : public ::testing::TestWithParam<bool> {};

TEST_P(Peers, FindEachOtherLoseAndFindAgain) {
  NodeSpec a("a");
  NodeSpec b("b");
  b.tag("disk", "ssd");
  if (GetParam()) {
    a.peers_over_unix();
    b.peers_over_unix();
  }
  TestCluster cluster({a, b});
  const auto nodes = from_json<v1::ListNodesResponse>(cluster["a"].ctl("nodes"));
  ASSERT_EQ(nodes.nodes_size(), 2);
  EXPECT_TRUE(nodes.nodes(0).is_self());
  EXPECT_EQ(nodes.nodes(1).name(), "b");
  EXPECT_EQ(states(cluster["a"].ctl("nodes"))[1], "alive");
  EXPECT_EQ(nodes.nodes(1).tags().at("disk"), "ssd");

  cluster["b"].kill();
  EXPECT_TRUE(wait_until([&] { return states(cluster["a"].ctl("nodes"))[1] == "lost"; }));
  EXPECT_EQ(cluster["a"].connected_peers(), 0);

  ASSERT_TRUE(cluster["b"].start());
  EXPECT_TRUE(cluster.settle());
  const std::vector<std::string> again = states(cluster["a"].ctl("nodes"));
  EXPECT_EQ(std::count(again.begin(), again.end(), "alive"), 2);
}

INSTANTIATE_TEST_SUITE_P(Over, Peers, ::testing::Bool(),
                         [](const auto& info) { return std::string(info.param ? "Unix" : "Tcp"); });

TEST(Silence, OfAPeerIsItsLossAndItMayComeBack) {
  NodeSpec a("a");
  a.timeout("peer", "1s");
  TestCluster cluster({a, NodeSpec("b")});
  cluster["b"].process().stop();
  EXPECT_TRUE(wait_until([&] { return cluster["a"].metric("kaido_gossip_peers_lost_total{reason=\"silent\"}") == 1; }));
  cluster["b"].process().cont();
  EXPECT_TRUE(cluster.settle());
}

}  // namespace
}  // namespace kaido::test
