#include <kaido/placement.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include "proto/kaido/v1/task.pb.h"

namespace kaido::detail {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

class Builder : public PlacementVerbs<Builder> {
 public:
  [[nodiscard]] const std::shared_ptr<PlacementRules>& said() const { return rules(); }
  [[nodiscard]] std::string bytes() const { return said() == nullptr ? "" : std::string(said()->bytes()); }
};

/// What libprotobuf writes if it is asked for the same bytes each time.
std::string canonical(const v1::Placement& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream output(&stream);
    output.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&output);
  }
  return bytes;
}

/// One use of a verb, and what the node is to read. Of no two the same rule, so that they commute. A new verb gets a
/// row.
struct Verb {
  const char* name;
  void (*say)(Builder&);
  void (*expected)(v1::Placement&);
};
const Verb kVerbs[] = {
    {"on_node", [](Builder& b) { b.on_node("n7"); }, [](v1::Placement& p) { p.set_node_name("n7"); }},
    {"with_tag", [](Builder& b) { b.with_tag("disk", "ssd"); },
     [](v1::Placement& p) { (*p.mutable_tags())["disk"] = "ssd"; }},
    {"with_tag, empty", [](Builder& b) { b.with_tag("arch", ""); },
     [](v1::Placement& p) { (*p.mutable_tags())["arch"] = ""; }},
    {"in_zone", [](Builder& b) { b.in_zone("eu-1"); }, [](v1::Placement& p) { (*p.mutable_tags())["zone"] = "eu-1"; }},
    {"with_retries", [](Builder& b) { b.with_retries(2); }, [](v1::Placement& p) { p.set_max_attempts(3); }},
    {"idempotent", [](Builder& b) { b.idempotent(); }, [](v1::Placement& p) { p.set_idempotent(true); }},
    {"with_wait", [](Builder& b) { b.with_wait(10s); }, [](v1::Placement& p) { p.set_wait_ns(10'000'000'000); }},
    {"with_priority", [](Builder& b) { b.with_priority(-5); }, [](v1::Placement& p) { p.set_priority(-5); }},
};

TEST(Placement, EachVerbIsWhatTheNodeReads) {
  std::vector<std::string> seen;
  for (const Verb& verb : kVerbs) {
    Builder builder;
    verb.say(builder);
    v1::Placement expected;
    verb.expected(expected);
    EXPECT_FALSE(builder.bytes().empty()) << verb.name;
    EXPECT_EQ(builder.bytes(), canonical(expected)) << verb.name;
    EXPECT_EQ(builder.said()->problem(), std::nullopt) << verb.name;
    EXPECT_EQ(std::count(seen.begin(), seen.end(), builder.bytes()), 0) << verb.name;
    seen.push_back(builder.bytes());
  }
}

TEST(Placement, InWhateverOrderRulesAreSaidTheirBytesAreThoseOfProtobuf) {
  constexpr std::uint32_t kSeed = 35;
  std::mt19937 random(kSeed);
  std::vector<const Verb*> order;
  for (const Verb& verb : kVerbs) order.push_back(&verb);
  for (int round = 0; round < 500; ++round) {
    std::shuffle(order.begin(), order.end(), random);
    const std::size_t count = random() % (order.size() + 1);
    Builder builder;
    v1::Placement expected;
    for (std::size_t i = 0; i < count; ++i) {
      order[i]->say(builder);
      if (random() % 2 == 0) order[i]->say(builder);  // Said twice it is said once.
      order[i]->expected(expected);
    }
    ASSERT_EQ(builder.bytes(), canonical(expected)) << "round " << round << " of seed " << kSeed;
  }
}

TEST(Placement, EqualRulesHaveEqualHashesAndOthersDoNot) {
  Builder one;
  one.with_tag("a", "1").with_tag("b", "2").idempotent();
  Builder same;
  same.idempotent().with_tag("b", "2").with_tag("a", "1");
  Builder other;
  other.with_tag("a", "2").with_tag("b", "1").idempotent();
  EXPECT_EQ(*one.said(), *same.said());
  EXPECT_EQ(one.said()->hash(), same.said()->hash());
  EXPECT_FALSE(*one.said() == *other.said());
  EXPECT_NE(one.said()->hash(), other.said()->hash());
}

TEST(Placement, TheLastWordCounts) {
  Builder builder;
  builder.on_node("a node with a long name").with_tag("disk", "hdd").with_retries(1).with_wait(1h).with_priority(-1);
  builder.on_node("b").with_tag("disk", "ssd").with_retries(7).with_wait(1ns).with_priority(1);
  v1::Placement expected;
  expected.set_node_name("b");
  (*expected.mutable_tags())["disk"] = "ssd";
  expected.set_max_attempts(8);
  expected.set_wait_ns(1);
  expected.set_priority(1);
  EXPECT_EQ(builder.bytes(), canonical(expected));
}

TEST(Placement, WhatIsTheDefaultSaysNothing) {
  Builder builder;
  builder.on_node("").with_retries(0).with_wait(0s).with_wait(-1s).with_priority(0);
  EXPECT_EQ(builder.said(), nullptr);  // So its calls share the template of those that state no rules.
  builder.on_node("n").with_retries(3).with_wait(1s).with_priority(9);
  EXPECT_NE(builder.said(), nullptr);
  builder.on_node("").with_retries(0).with_wait(0s).with_priority(0);
  EXPECT_EQ(builder.said(), nullptr);
}

TEST(Placement, TimeLimitsAndTracesAreNoRules) {
  Builder builder;
  builder.with_timeout(5s).with([](Builder& b) { b.with_timeout(6s); });
  EXPECT_EQ(builder.said(), nullptr);
}

TEST(Placement, NumbersReachTheirEnds) {
  constexpr auto kMost = std::numeric_limits<std::uint32_t>::max();
  for (const std::uint32_t retries : {1U, 126U, 127U, kMost - 1, kMost}) {
    Builder builder;
    builder.with_retries(retries);
    v1::Placement expected;
    expected.set_max_attempts(retries == kMost ? kMost : retries + 1);
    EXPECT_EQ(builder.bytes(), canonical(expected)) << retries;
  }
  for (const std::int32_t priority :
       {std::numeric_limits<std::int32_t>::min(), -1, 1, 128, std::numeric_limits<std::int32_t>::max()}) {
    Builder builder;
    builder.with_priority(priority);
    v1::Placement expected;
    expected.set_priority(priority);
    EXPECT_EQ(builder.bytes(), canonical(expected)) << priority;
  }
  for (const nanoseconds wait : {1ns, 16384ns, nanoseconds::max()}) {
    Builder builder;
    builder.with_wait(wait);
    v1::Placement expected;
    expected.set_wait_ns(static_cast<std::uint64_t>(saturate(wait).count()));
    EXPECT_EQ(builder.bytes(), canonical(expected)) << wait.count();
  }
}

TEST(Placement, TextsOfAnySizeAndManyTagsInTheirOrder) {
  for (const std::size_t size : {1U, 14U, 15U, 16U, 126U, 127U, 128U, 300U, 20'000U}) {
    Builder builder;
    const std::string text(size, 'x');
    builder.with_priority(3).with_tag(text, text).on_node(text).with_tag("", text);
    v1::Placement expected;
    expected.set_node_name(text);
    (*expected.mutable_tags())[text] = text;
    (*expected.mutable_tags())[""] = text;
    expected.set_priority(3);
    EXPECT_EQ(builder.bytes(), canonical(expected)) << size;
    builder.on_node("").with_tag(text, "").with_tag("", "");
    expected.clear_node_name();
    (*expected.mutable_tags())[text] = "";
    (*expected.mutable_tags())[""] = "";
    EXPECT_EQ(builder.bytes(), canonical(expected)) << size;
  }
  Builder builder;
  v1::Placement expected;
  for (int i = 0; i < 100; ++i) {
    const std::string key = (i % 3 == 0 ? "ä" : "k") + std::to_string(i * 7 % 100);
    builder.with_tag(key, std::to_string(i));
    (*expected.mutable_tags())[key] = std::to_string(i);
  }
  EXPECT_EQ(builder.bytes(), canonical(expected));
}

TEST(Placement, NamesThatANodeCannotTakeAreToldInWords) {
  const struct {
    std::function<void(Builder&)> say;
    std::string words;
  } kCases[] = {
      {[](Builder& b) { b.on_node("n\xff"); }, "the name of the node 'n\xef\xbf\xbd' is not UTF-8"},
      {[](Builder& b) { b.idempotent().on_node(std::string(70'000, 'n')); }, "the name of the node"},
      {[](Builder& b) { b.with_tag("", "v"); }, "the tag has an empty name"},
      {[](Builder& b) { b.with_tag("a", "").with_tag("k\xff", "v"); },
       "the name of the tag 'k\xef\xbf\xbd' is not UTF-8"},
      {[](Builder& b) { b.with_tag("k", "v\xff"); }, "the name of the value of tag 'k', 'v\xef\xbf\xbd' is not UTF-8"},
      {[](Builder& b) { b.in_zone(std::string(70'000, 'z')); }, "the name of the value of tag 'zone',"},
  };
  for (const auto& each : kCases) {
    Builder builder;
    each.say(builder);
    const auto problem = builder.said()->problem();
    ASSERT_TRUE(problem) << each.words;
    EXPECT_EQ(problem->rfind(each.words, 0), 0U) << *problem;
  }
  Builder mended;
  mended.on_node("n\xff").on_node("n").with_tag("k", "\xff").with_tag("k", "");
  EXPECT_EQ(mended.said()->problem(), std::nullopt);
}

TEST(Placement, WhatCallsHaveIsNotChangedUnderThem) {
  Builder builder;
  builder.on_node("a");
  const PlacementRules* const first_rules = builder.said().get();
  builder.with_priority(1);
  EXPECT_EQ(builder.said().get(), first_rules);  // Nobody else has seen them.

  const auto of_a_call = builder.said();
  const std::string before(of_a_call->bytes());
  builder.on_node("b");
  EXPECT_NE(builder.said(), of_a_call);
  EXPECT_EQ(of_a_call->bytes(), before);

  for (const bool is_prepared : {true, false}) {
    Builder used;
    used.on_node("a");
    const std::weak_ptr<PlacementRules> first = used.said();
    if (is_prepared) {
      used.said()->prepared = 7;
    } else {
      static_cast<void>(used.said()->hash());
    }
    used.idempotent();
    EXPECT_TRUE(first.expired());  // A copy, which has been prepared nowhere.
    EXPECT_FALSE(used.said()->is_in_use());
  }
}

TEST(Placement, AHashIsOfTheBytesThatAreThere) {
  PlacementRules changed;
  changed.set(PlacementField::kNodeName, "a");
  const std::uint64_t before = changed.hash();
  changed.set(PlacementField::kNodeName, "b");
  PlacementRules fresh;
  fresh.set(PlacementField::kNodeName, "b");
  EXPECT_NE(changed.hash(), before);
  EXPECT_EQ(changed.hash(), fresh.hash());
}

TEST(Placement, NumbersCanBeAskedFor) {
  PlacementRules rules;
  EXPECT_EQ(rules.number(PlacementField::kIdempotent), 0U);
  rules.set(PlacementField::kTags, "k", "v");
  rules.set(PlacementField::kPriority, 9);
  EXPECT_EQ(rules.number(PlacementField::kIdempotent), 0U);
  rules.set(PlacementField::kIdempotent, true);
  EXPECT_EQ(rules.number(PlacementField::kIdempotent), 1U);
  EXPECT_EQ(rules.number(PlacementField::kPriority), 9U);
}

}  // namespace
}  // namespace kaido::detail
