#include "daemon/core/session/messages.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/session/call_info.h"
#include "daemon/core/view/node_delta.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

TEST(CallInfo, IsWhatLibprotobufReads) {
  base::NodeId origin;
  for (std::uint8_t i = 0; i < 16; ++i) origin.bytes[i] = static_cast<std::uint8_t>(200 + i);
  CallInfo info(origin, base::Epoch{0x1122334455667788});
  for (const std::uint64_t sequence : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    v1::CallInfo message;
    const auto bytes = info.for_task(sequence);
    ASSERT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    EXPECT_EQ(message.origin(), base::to_bytes(origin));
    EXPECT_EQ(message.epoch(), 0x1122334455667788U);
    EXPECT_EQ(message.sequence(), sequence);
  }
}

TEST(Messages, PlacementsRoundTripWhateverTheOrderOfTheirTags) {
  PlacementSpec spec;
  spec.function = base::FunctionId{9};
  spec.function_name = "f";
  spec.fingerprint = 10;
  spec.signature = "() -> int64";
  spec.schema = Schema(std::string("\0\x01", 2));
  spec.node_name = "n7";
  spec.tags = {{"arch", "arm"}, {"zone", "eu-1"}};
  spec.tolerations = {{"gpu", "yes", "NoSchedule", true}};
  spec.max_attempts = 3;
  spec.idempotent = true;
  spec.wait = 1s;
  spec.timeout = 50ms;
  spec.priority = -5;
  const auto again = to_placement(to_message(spec));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, spec);
}

// An app may write what it says in another way than ours does: still it is one placement.
TEST(Messages, EqualRulesAreEqualPlacementsInWhateverEncodingTheyCome) {
  const auto part = [](auto&& say) {
    v1::Prepare message;
    say(message);
    return message.SerializeAsString();
  };
  // What protobuf reads one after the other it merges.
  std::vector<std::string> parts = {
      part([](v1::Prepare& m) { m.mutable_function()->set_name("f"); }),
      part([](v1::Prepare& m) { (*m.mutable_placement()->mutable_tags())["zone"] = "eu-1"; }),
      part([](v1::Prepare& m) { (*m.mutable_placement()->mutable_tags())["arch"] = "arm"; }),
      part([](v1::Prepare& m) { m.mutable_placement()->set_idempotent(true); }),
      part([](v1::Prepare& m) { m.mutable_placement()->set_max_attempts(1); }),  // What 0 means, too.
      std::string("\x12\x02\x30\x00", 4),                                        // wait_ns, with its default
  };
  v1::Prepare shortest;
  shortest.mutable_function()->set_name("f");
  shortest.mutable_placement()->set_idempotent(true);
  auto& tags = *shortest.mutable_placement()->mutable_tags();
  tags["arch"] = "arm";
  tags["zone"] = "eu-1";
  const auto expected = to_placement(shortest);
  ASSERT_TRUE(expected.ok()) << expected.status();
  std::sort(parts.begin(), parts.end());
  do {
    v1::Prepare message;
    std::string bytes;
    for (const std::string& each : parts) bytes += each;
    ASSERT_TRUE(message.ParseFromString(bytes));
    const auto placement = to_placement(message);
    ASSERT_TRUE(placement.ok()) << placement.status();
    EXPECT_EQ(*placement, *expected);
  } while (std::next_permutation(parts.begin(), parts.end()));
}

TEST(Messages, NodeInfoRoundTripsAndRefusesABadId) {
  NodeInfo info;
  info.id.bytes[3] = 1;
  info.name = "n1";
  info.life = {base::Epoch{4}, 0x1122334455667788};
  info.tags = {{"zone", "eu-1"}};
  info.taints = {{"gpu", "yes", "NoSchedule"}};
  info.slots = 8;
  info.draining = true;
  info.functions = {{base::FunctionId{1}, "f", 2, "() -> int64", Schema(std::string("\0\x01", 2))}};
  info.address = "tcp:127.0.0.1:7420";
  info.version = 9;
  v1::NodeInfo message = to_message(info);
  const auto again = to_node_info(message);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, info);
  message.set_id("short");
  EXPECT_FALSE(to_node_info(message).ok());
}

TEST(Messages, NodeInfoDeltasRoundTripAndEmptyIsNotAbsent) {
  NodeInfoDelta delta;
  delta.base_version = 5;
  delta.version = 7;
  EXPECT_EQ(*to_node_info_delta(to_message(delta)), delta);
  delta.offered = {{base::FunctionId{1}, "f", 2, "() -> int64", Schema("s"), true}};
  delta.withdrawn = {{3}, {4}};
  delta.tags = {{"zone", "eu-1"}};
  delta.tags_removed = {"arch"};
  delta.taints = std::vector<Taint>{};
  delta.slots = 0;
  delta.draining = false;
  delta.address = "";
  const auto again = to_node_info_delta(to_message(delta));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, delta);
  delta.offered[0].name.clear();
  EXPECT_FALSE(to_node_info_delta(to_message(delta)).ok());
}

TEST(Messages, WhatDeltasAddUpToIsBounded) {
  NodeInfo info;
  for (int i = 0; i < kMaxTagsPerMessage; ++i) info.tags.push_back({std::to_string(i), "x"});
  info.functions = {{base::FunctionId{1}, "f", 2, std::string(kMaxFunctionsBytes - 100, 'x')}};
  EXPECT_TRUE(check_sizes(info).ok());
  info.tags.push_back({"one", "more"});
  EXPECT_FALSE(check_sizes(info).ok());
  info.tags.clear();
  info.functions.put({base::FunctionId{2}, std::string(100, 'g')});
  EXPECT_TRUE(absl::IsResourceExhausted(check_sizes(info)));
}

TEST(Messages, RedirectReasonsRoundTripAndUnknownOnesKeepTheirMeaning) {
  for (const RedirectReason reason : {RedirectReason::kMismatch, RedirectReason::kNotOffered, RedirectReason::kDraining,
                                      RedirectReason::kQueueFull, RedirectReason::kUnreachable}) {
    EXPECT_EQ(to_redirect_reason(to_message(reason, 1ms)), reason);
  }
  v1::RedirectReason later;
  later.set_reason("a reason of a later version");
  EXPECT_EQ(to_redirect_reason(later), RedirectReason::kMismatch);
  later.set_full(true);
  EXPECT_EQ(to_redirect_reason(later), RedirectReason::kQueueFull);
}

TEST(Messages, TheReasonsOfAnErrorAreBoundedInAll) {
  v1::ResultError message;
  for (int i = 0; i < kMaxReasonsPerError; ++i) message.add_reasons()->set_reason(std::string(1000, 'r'));
  const TaskError error = to_task_error(message);
  EXPECT_GT(error.reasons.size(), 50U);
  EXPECT_LE(error.reasons.size() * 1000, kMaxReasonBytes);
}

TEST(Messages, NoMoreIsParsedThanAWellBehavedSenderSays) {
  const std::string many(1U << 20, '\0');  // would be half a million fields
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kResult;
  const TaskResult failure = to_failure(wire::FrameView(header, wire::as_span(many), {}), wire::Outcome::kPanicked);
  EXPECT_EQ(
      failure.error->message,
      "what went wrong cannot be read: the metadata of a result frame takes 1048576 bytes; at most 262144 are read");
  v1::ResultError largest;
  largest.set_message(std::string(kMaxErrorTextBytes, 'm'));
  for (int i = 0; i < kMaxReasonsPerError; ++i) {
    largest.add_reasons()->set_node(std::string(wire::kMaxNameBytes, 'n'));
    largest.mutable_reasons(i)->set_reason(std::string(kMaxReasonBytes / kMaxReasonsPerError, 'r'));
  }
  EXPECT_LT(largest.ByteSizeLong(), metadata_bytes_max(wire::FrameKind::kResult));
  EXPECT_GT(metadata_bytes_max(wire::FrameKind::kRegister), wire::kMaxFunctionBytesPerApp);
  EXPECT_EQ(metadata_bytes_max(wire::FrameKind::kNodeInfo), wire::kMaxMetadataBytes);
}

TEST(Messages, ForeignDurationsNeverOverflow) {
  EXPECT_GT(to_duration(~std::uint64_t{0}), 24h * 365);
  EXPECT_EQ(to_duration(5), 5ns);
}

}  // namespace
}  // namespace kaido::daemon
