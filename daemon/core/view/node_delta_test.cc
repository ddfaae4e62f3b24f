// A node's account of itself, and what changed in it: whatever changes, applying the difference leads there.
#include "daemon/core/view/node_delta.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "proto/base/random.h"

namespace kaido::daemon {
namespace {

FunctionInfo function(std::uint64_t id, std::uint64_t fingerprint = 1) {
  return {base::FunctionId{id}, "f" + std::to_string(id), fingerprint, "() -> int64", Schema("s"), id % 2 == 0};
}

NodeInfo sample() {
  NodeInfo info;
  info.id.bytes[0] = 1;
  info.name = "n";
  info.life = {{3}, 4};
  info.version = 7;
  info.tags = {{"arch", "arm"}, {"zone", "eu"}};
  info.taints = {{"gpu", "yes", "NoSchedule"}};
  info.slots = 4;
  info.functions = {function(1), function(2), function(3)};
  info.address = "tcp:x:1";
  return info;
}

TEST(NodeInfoDelta, OfEqualOnesIsEmptyWhateverTheirOrder) {
  const NodeInfo info = sample();
  NodeInfo other = info;
  other.functions = {function(3), function(1), function(2)};
  std::reverse(other.tags.begin(), other.tags.end());
  EXPECT_TRUE(difference(info, other).is_empty());
  EXPECT_TRUE(difference(info, info).is_empty());
}

TEST(NodeInfoDelta, SaysOnlyWhatChanged) {
  const NodeInfo from = sample();
  NodeInfo to = from;
  to.version = 8;
  to.functions = {function(1), function(3, 9), function(5)};
  to.tags = {{"arch", "x86"}, {"disk", "ssd"}};
  to.slots = 0;
  const NodeInfoDelta delta = difference(from, to);
  EXPECT_EQ(delta.base_version, 7U);
  EXPECT_EQ(delta.version, 8U);
  EXPECT_EQ(delta.offered, (std::vector{function(3, 9), function(5)}));
  EXPECT_EQ(delta.withdrawn, std::vector{base::FunctionId{2}});
  EXPECT_EQ(delta.tags, to.tags);
  EXPECT_EQ(delta.tags_removed, std::vector<std::string>{"zone"});
  EXPECT_EQ(delta.slots, 0U) << "nothing left is a change, too";
  EXPECT_FALSE(delta.taints || delta.draining || delta.address);
  EXPECT_EQ(apply(from, delta), to);
}

TEST(NodeInfoDelta, AppliedToAnotherOneItIsStillInOrderAndWithoutDoubles) {
  NodeInfo other = sample();
  other.functions = {function(3, 5), function(9)};
  NodeInfoDelta delta;
  delta.offered = {function(9, 2), function(3, 6), function(3, 7)};
  delta.withdrawn = {{77}};
  delta.tags = {{"zone", "us"}, {"zone", "asia"}};
  const NodeInfo result = apply(other, delta);
  EXPECT_EQ(result.functions, (std::vector{function(3, 7), function(9, 2)}));
  EXPECT_EQ(result.tags, (std::vector<Tag>{{"arch", "arm"}, {"zone", "asia"}}));
}

TEST(NodeInfoDelta, LeadsFromAnyOneToAnyOther) {
  base::Random random(20261129);
  NodeInfo from = sample();
  for (int step = 0; step < 3000; ++step) {
    NodeInfo to = from;
    ++to.version;
    for (std::uint32_t change = random.below(5); change > 0; --change) {
      const std::uint64_t id = random.below(12);
      to.functions.erase({id});
      if (random.below(2) == 0) to.functions.put(function(id, random.below(3)));
      const std::string key(1, static_cast<char>('a' + random.below(6)));
      std::erase_if(to.tags, [&](const Tag& tag) { return tag.key == key; });
      if (random.below(2) == 0) to.tags.push_back({key, std::to_string(random.below(3))});
    }
    if (random.below(4) == 0) to.taints.assign(random.below(3), {"k", std::to_string(random.below(3)), "NoSchedule"});
    if (random.below(4) == 0) to.slots = random.below(3);
    if (random.below(4) == 0) to.draining = !to.draining;
    if (random.below(4) == 0) to.address = std::to_string(random.below(3));
    ASSERT_EQ(apply(from, difference(from, to)), in_order(to)) << "step " << step;
    ASSERT_EQ(difference(from, to).is_empty(),
              [&] {
                NodeInfo same = in_order(from);
                same.version = to.version;
                return same == in_order(to);
              }())
        << "step " << step;
    from = to;
  }
}

}  // namespace
}  // namespace kaido::daemon
