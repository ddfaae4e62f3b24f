#include "sdk/client/template_cache.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace kaido::detail {
namespace {

std::shared_ptr<PlacementRules> on_node(const std::string& name) {
  auto rules = std::make_shared<PlacementRules>();
  rules->set(PlacementField::kNodeName, name);
  return rules;
}

class TemplateCacheTest : public testing::Test {
 protected:
  TemplateCacheTest() { cache_.start_connection(); }

  struct Used {
    std::uint32_t number;
    bool was_prepared;
    bool operator==(const Used&) const = default;
  };
  /// As a session does at each call.
  Used use(CallTarget& target, std::shared_ptr<const PlacementRules> rules = nullptr) {
    PendingCall call(target);
    call.placement = std::move(rules);
    TemplateCache::Template* known = cache_.find(call);
    if (known == nullptr) known = &cache_.add(call);
    EXPECT_EQ(known->target, &target);
    if (call.placement != nullptr) {
      EXPECT_EQ(known->rules->bytes(), call.placement->bytes());
    }
    const Used used{cache_.number(*known), cache_.is_prepared(*known)};
    if (!used.was_prepared) cache_.set_prepared(*known);
    return used;
  }

  TemplateCache cache_{3};
  CallTarget f_{FunctionFacts("f", 1, kSignature<void>, {}), CallTarget::Kind::kFunction};
  CallTarget g_{FunctionFacts("g", 2, kSignature<void>, {}), CallTarget::Kind::kFunction};
};

TEST_F(TemplateCacheTest, FindsAgainWhatItKnows) {
  const auto kept = on_node("a");
  EXPECT_EQ(use(f_), (Used{1, false}));
  EXPECT_EQ(use(f_, kept), (Used{2, false}));
  EXPECT_EQ(use(g_), (Used{3, false}));
  EXPECT_EQ(use(f_), (Used{1, true}));
  EXPECT_EQ(use(f_, kept), (Used{2, true}));
  EXPECT_EQ(use(f_, on_node("a")), (Used{2, true}));  // Another builder with the same contents.
  EXPECT_EQ(use(g_), (Used{3, true}));
  EXPECT_EQ(cache_.size(), 3U);
}

TEST_F(TemplateCacheTest, TheSameRulesOfTwoFunctionsAreTwoTemplates) {
  const auto kept = on_node("a");
  EXPECT_EQ(use(f_, kept), (Used{1, false}));
  EXPECT_EQ(use(g_, kept), (Used{2, false}));
  EXPECT_EQ(use(f_, kept), (Used{1, true}));  // Though what the rules remember is the other one.
  EXPECT_EQ(use(g_, on_node("a")), (Used{2, true}));
}

TEST_F(TemplateCacheTest, OutlivesTheBuilderThatItHasTheRulesOf) {
  use(f_, on_node("a"));
  const auto second = on_node("a");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(use(f_, second), (Used{1, true}));
  EXPECT_EQ(cache_.size(), 1U);
}

TEST_F(TemplateCacheTest, TheOneUsedLongestAgoGivesItsNumberToANewOne) {
  const auto a = on_node("a");
  const auto b = on_node("b");
  const auto c = on_node("c");
  use(f_);
  use(f_, a);
  use(f_, b);
  use(f_);
  EXPECT_EQ(use(f_, c), (Used{2, false}));  // In a's place.
  EXPECT_EQ(use(f_), (Used{1, true}));
  EXPECT_EQ(use(f_, a), (Used{3, false}));  // Prepared again, in b's place; what its builder remembers is c by now.
  EXPECT_EQ(use(f_, c), (Used{2, true}));
  EXPECT_EQ(cache_.size(), 3U);
  EXPECT_EQ(cache_.evictions(), 2U);
}

TEST_F(TemplateCacheTest, TheDefaultRulesGiveTheirPlaceToo) {
  use(f_);
  use(f_, on_node("a"));
  use(f_, on_node("b"));
  EXPECT_EQ(use(g_), (Used{1, false}));
  EXPECT_EQ(use(f_), (Used{2, false}));
}

TEST_F(TemplateCacheTest, AnyNumberOfRulesTakesNoMoreThanTheBound) {
  for (int i = 0; i < 1000; ++i) EXPECT_LE(use(f_, on_node(std::to_string(i))).number, 3U);
  EXPECT_EQ(cache_.size(), 3U);
}

TEST_F(TemplateCacheTest, OnANewConnectionNumbersStartAgainInTheOrderOfUse) {
  use(f_);
  use(g_);
  cache_.start_connection();
  EXPECT_EQ(use(g_), (Used{1, false}));
  EXPECT_EQ(use(f_), (Used{2, false}));
  // No gaps, though the places change.
  EXPECT_EQ(use(f_, on_node("a")), (Used{3, false}));
  EXPECT_EQ(use(f_, on_node("b")), (Used{1, false}));
}

TEST_F(TemplateCacheTest, WhatTheNodeHadNoRoomForIsPreparedAgain) {
  use(f_);
  use(g_);
  cache_.set_refused(2);
  EXPECT_EQ(use(f_), (Used{1, true}));
  EXPECT_EQ(use(g_), (Used{2, false}));
  EXPECT_EQ(use(g_), (Used{2, true}));
  cache_.set_refused(0);
  cache_.set_refused(77);
}

TEST_F(TemplateCacheTest, KeepsToWhatTheNodeCanHold) {
  use(f_);
  use(g_);
  use(f_, on_node("a"));
  cache_.start_connection();
  cache_.set_most(2);
  EXPECT_EQ(cache_.size(), 2U);
  EXPECT_EQ(use(g_), (Used{1, false}));
  EXPECT_EQ(use(f_), (Used{2, false}));
  EXPECT_EQ(use(f_, on_node("a")), (Used{1, false}));
}

TEST_F(TemplateCacheTest, TwoCachesDoNotBelieveEachOthersMemory) {
  const auto rules = on_node("a");
  use(f_);
  EXPECT_EQ(use(f_, rules).number, 2U);
  TemplateCache other(3);
  other.start_connection();
  PendingCall call(f_);
  call.placement = rules;
  EXPECT_EQ(other.find(call), nullptr);
  EXPECT_EQ(other.number(other.add(call)), 1U);
  EXPECT_EQ(use(f_, rules), (Used{2, true}));
}

}  // namespace
}  // namespace kaido::detail
