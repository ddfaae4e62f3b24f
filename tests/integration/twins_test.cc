/// Two daemons with one identity (a copied disk image) or one name: each that notices says so once, in words that help,
/// the first stays, and nobody flaps.
#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "tests/support/process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cluster.h"
#include "tests/support/wait_until.h"

namespace kaido::test {
namespace {

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

/// Stops a node that stands outside of a TestCluster, whose destructor would look at how it ended.
class Stray {
 public:
  explicit Stray(NodeSpec spec) : node_(std::move(spec)) {}
  Stray(const Stray&) = delete;
  Stray& operator=(const Stray&) = delete;
  ~Stray() {
    if (node_.is_running()) node_.kill();
  }
  TestNode* operator->() { return &node_; }
  TestNode& operator*() { return node_; }

 private:
  TestNode node_;
};

constexpr std::string_view kConflict = "nodes are in each other's way";

TEST(Twins, ACopiedIdentityIsSaidOnceAndTheFirstStays) {
  TestCluster cluster({NodeSpec("a"), NodeSpec("c")});
  Stray clone(NodeSpec("b"));
  clone->write_config({cluster["c"].peer_address()});
  std::filesystem::create_directory(clone->state_folder());
  std::filesystem::permissions(clone->state_folder(), std::filesystem::perms::owner_all);
  std::filesystem::copy(cluster["a"].state_folder() + "/identity", clone->state_folder() + "/identity");
  ASSERT_TRUE(clone->start());

  ASSERT_TRUE(wait_until([&] { return count(cluster["c"].log(), kConflict) > 0; }));
  ASSERT_TRUE(wait_until([&] { return count(clone->log(), kConflict) > 0; })) << clone->log();
  for (TestNode* const node : {&cluster["c"], &*clone}) {
    for (const char* const command : {"status", "nodes"}) {
      const std::string answer = node->ctl(command);
      EXPECT_NE(answer.find("two nodes have the id "), std::string::npos) << answer;
      EXPECT_NE(answer.find("remove the file identity in its node.state_dir"), std::string::npos) << answer;
    }
  }

  // It goes on trying, and is refused each time, without another word and without touching the first.
  EXPECT_TRUE(wait_until([&] { return cluster["c"].metric("kaido_gossip_connects_total{result=\"refused\"}") >= 3; }));
  EXPECT_EQ(cluster["c"].connected_peers(), 1);
  EXPECT_EQ(count(cluster["c"].log(), kConflict), 1U) << cluster["c"].log();
  EXPECT_EQ(count(clone->log(), kConflict), 1U) << clone->log();
  EXPECT_EQ(count(cluster["c"].log(), "node lost"), 0U) << cluster["c"].log();
  EXPECT_EQ(count(cluster["a"].log(), "node lost"), 0U) << cluster["a"].log();
  EXPECT_EQ(clone->connected_peers(), 0);
}

TEST(Twins, OneNameOfTwoNodesIsSaidAndNotGuessedAt) {
  TestCluster cluster({NodeSpec("same"), NodeSpec("c")});
  Stray other(NodeSpec("same"));
  other->write_config({cluster["c"].peer_address()});
  ASSERT_TRUE(other->start());
  ASSERT_TRUE(wait_until([&] { return count(cluster["c"].log(), kConflict) > 0; }));
  for (const char* const command : {"status", "nodes"}) {
    const std::string answer = cluster["c"].ctl(command);
    EXPECT_NE(answer.find("two nodes are named same: "), std::string::npos) << answer;
    EXPECT_NE(answer.find("give one of them another node.name"), std::string::npos) << answer;
  }
  EXPECT_TRUE(wait_until([&] { return cluster["c"].connected_peers() == 2; })) << "both are nodes";

  const TempFolder folder;
  Command ping(built_program("daemon/kaidoctl/kaidoctl"));
  ping.argument("--socket").argument(cluster["c"].admin_socket()).argument("ping").argument("same");
  const auto ended = Process(ping.output(folder / "output")).wait();
  const std::string words = read_file(folder / "output");
  ASSERT_TRUE(ended);
  EXPECT_NE(ended->code, 0) << words;
  EXPECT_NE(words.find("more than one node is named \"same\"; say which by its id"), std::string::npos) << words;
}

}  // namespace
}  // namespace kaido::test
