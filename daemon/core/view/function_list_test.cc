#include "daemon/core/view/function_list.h"

#include <map>
#include <string>

#include <gtest/gtest.h>

#include "proto/base/random.h"

namespace kaido::daemon {
namespace {

constexpr std::uint64_t kSeed = 20261129;

FunctionInfo function(std::uint64_t id, std::uint64_t fingerprint = 1) {
  return {base::FunctionId{id}, "f" + std::to_string(id), fingerprint, std::string(fingerprint, '-')};
}

std::vector<FunctionInfo> all(const FunctionList& list) { return {list.begin(), list.end()}; }

FunctionList of(std::uint64_t count) {
  std::vector<FunctionInfo> functions;
  for (std::uint64_t id = 1; id <= count; ++id) functions.push_back(function(id));
  return functions;
}

TEST(FunctionList, IsInOrderAndKeepsTheLastOfEachId) {
  const FunctionList list{function(3, 5), function(9), function(1), function(3, 7)};
  EXPECT_EQ(all(list), (std::vector{function(1), function(3, 7), function(9)}));
  EXPECT_EQ(list.find({3})->fingerprint, 7U);
  EXPECT_EQ(list.find({2}), nullptr);
  EXPECT_EQ(list.find({10}), nullptr);
  EXPECT_EQ(FunctionList().find({1}), nullptr);
}

TEST(FunctionList, ACopyStaysAsItWas) {
  FunctionList list = of(300);
  const FunctionList before = list;
  list.put(function(150, 9));
  list.put(function(1000));
  list.erase({200});
  EXPECT_EQ(before, of(300));
  EXPECT_EQ(list.find({150})->fingerprint, 9U);
  EXPECT_EQ(list.size(), 300U);
  EXPECT_NE(list, before);
}

TEST(FunctionList, AChangeCopiesOneChunkAndSharesTheRest) {
  const FunctionList before = of(10'000);
  FunctionList after = before;
  after.put(function(5000, 2));
  std::size_t shared = 0;
  for (const FunctionInfo& one : before) shared += &one == after.find(one.id) ? 1 : 0;
  EXPECT_EQ(shared, 9999U) << "functions are not copied at all";
}

// Against a map, through sizes from none to some chunks and back.
TEST(FunctionList, IsWhatAMapWouldBe) {
  base::Random random(kSeed);
  FunctionList list;
  std::map<std::uint64_t, FunctionInfo> map;
  for (int step = 0; step < 20'000; ++step) {
    const FunctionList before = list;
    const bool grows = step / 2500 % 2 == 0;
    for (std::uint32_t change = random.below(4); change > 0; --change) {
      const std::uint64_t id = random.below(900);
      if (random.below(10) < (grows ? 8U : 2U)) {
        list.put(function(id, 1 + random.below(3)));
        map.insert_or_assign(id, *list.find({id}));
      } else {
        ASSERT_EQ(list.erase({id}), map.erase(id) == 1);
      }
    }
    ASSERT_EQ(list.size(), map.size());
    if (step % 50 != 0) continue;
    std::vector<FunctionInfo> expected;
    std::size_t bytes = 0;
    for (const auto& [id, one] : map) {
      expected.push_back(one);
      bytes += text_bytes(one);
    }
    ASSERT_EQ(all(list), expected) << "seed " << kSeed << ", step " << step;
    ASSERT_EQ(list, FunctionList(expected));
    ASSERT_EQ(list.text_bytes(), bytes);
    std::vector<FunctionInfo> changed;
    std::vector<base::FunctionId> gone;
    before.compare(list, changed, gone);
    FunctionList again = before;
    for (const base::FunctionId id : gone) ASSERT_TRUE(again.erase(id));
    for (const FunctionInfo& one : changed) again.put(one);
    ASSERT_EQ(again, list) << "seed " << kSeed << ", step " << step;
    ASSERT_LE(changed.size() + gone.size(), 4U) << "what did not change is not named";
  }
}

}  // namespace
}  // namespace kaido::daemon
