#include "daemon/core/registry/registry.h"

#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "daemon/core/schema/schema_text.h"

namespace kaido::daemon {
namespace {

FunctionInfo function(std::uint64_t id, std::string name, std::uint64_t fingerprint = 1) {
  return {.id = {id}, .name = std::move(name), .fingerprint = fingerprint, .signature = "() -> int64"};
}

bool says(const base::Status& status, std::string_view words) {
  return status.ToString().find(words) != std::string::npos;
}

TEST(Registry, EverySessionThatOffersAFunctionIsFoundWithItsIndex) {
  Registry registry;
  ASSERT_TRUE(registry.register_session(1, std::vector{function(10, "f"), function(20, "g")}, 4).ok());
  ASSERT_TRUE(registry.register_session(2, std::vector{function(20, "g")}, 2).ok());
  EXPECT_EQ(registry.slots(), 6U);
  const auto offers = registry.lookup({20});
  EXPECT_EQ(std::vector<Offer>(offers.begin(), offers.end()), (std::vector<Offer>{{1, 1}, {2, 0}}));
  EXPECT_TRUE(registry.lookup({30}).empty());
  ASSERT_EQ(registry.offered().size(), 2U);
  EXPECT_EQ(registry.offered().begin()->name, "f");
}

TEST(Registry, AFunctionStaysAsLongAsOneSessionOffersIt) {
  Registry registry;
  ASSERT_TRUE(registry.register_session(1, std::vector{function(10, "f")}, 4).ok());
  ASSERT_TRUE(registry.register_session(2, std::vector{function(10, "f")}, 2).ok());
  EXPECT_TRUE(registry.unregister_session(1));
  EXPECT_EQ(registry.lookup({10}).size(), 1U);
  EXPECT_TRUE(registry.unregister_session(2));
  EXPECT_FALSE(registry.unregister_session(2));
  EXPECT_TRUE(registry.offered().empty());
  EXPECT_EQ(registry.slots(), 0U);
}

TEST(Registry, AnotherSignatureOfTheSameFunctionIsRefusedNamingBoth) {
  Registry registry;
  ASSERT_TRUE(registry.register_session(1, std::vector{function(10, "f", 0xa)}, 1).ok());
  const auto status = registry.register_session(2, std::vector{function(10, "f", 0xb)}, 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(says(status, "signature mismatch")) << status;
  EXPECT_TRUE(says(status, "000000000000000a")) << status;
  EXPECT_TRUE(says(status, "000000000000000b")) << status;
  EXPECT_EQ(registry.lookup({10}).size(), 1U);
  EXPECT_EQ(registry.counters().refused_signature, 1U);

  registry.unregister_session(1);
  EXPECT_TRUE(registry.register_session(2, std::vector{function(10, "f", 0xb)}, 1).ok())
      << "once the old worker is gone, the new version may come";
}

TEST(Registry, OneIdForTwoNamesIsRefusedNamingBothForAsLongAsAnotherAppHasIt) {
  Registry registry;
  ASSERT_TRUE(registry.register_session(1, std::vector{function(10, "f")}, 1).ok());
  const auto other_app = registry.register_session(2, std::vector{function(10, "g")}, 1);
  EXPECT_EQ(other_app.code(), absl::StatusCode::kFailedPrecondition) << "it may come back";
  EXPECT_TRUE(says(other_app, "functions f, which an app on this node offers, and g")) << other_app;
  const auto same_app = registry.register_session(3, std::vector{function(30, "h"), function(30, "i")}, 1);
  EXPECT_EQ(same_app.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(says(same_app, "functions h and i")) << same_app;
  EXPECT_EQ(registry.session_count(), 1U) << "a refused registration leaves nothing behind";
  registry.unregister_session(1);
  EXPECT_TRUE(registry.register_session(2, std::vector{function(10, "g")}, 1).ok());
}

FunctionInfo described(std::uint64_t id, const Schema& schema) {
  FunctionInfo info = function(id, "f" + std::to_string(id));
  info.schema = schema;
  return info;
}

TEST(Registry, SchemasAreKeptWithTheirFunctions) {
  Registry registry;
  const Schema schema = schema_of("string text = 1;", "int64 value = 1;");
  ASSERT_TRUE(registry.register_session(1, std::vector{described(1, schema), described(2, {})}, 1).ok());
  EXPECT_EQ(registry.offered().find({1})->schema, schema);
  EXPECT_TRUE(registry.offered().find({2})->schema.empty());
}

// Of one fingerprint, and with other names of parameters: those of the first, as long as somebody offers it.
TEST(Registry, TheFirstDescriptionOfAFunctionHoldsUntilNobodyOffersIt) {
  Registry registry;
  const Schema first = schema_of("string text = 1;", "int64 value = 1;");
  const Schema second = schema_of("string words = 1;", "int64 value = 1;");
  ASSERT_TRUE(registry.register_session(1, std::vector{described(1, first)}, 1).ok());
  ASSERT_TRUE(registry.register_session(2, std::vector{described(1, second)}, 1).ok());
  EXPECT_EQ(registry.offered().find({1})->schema, first);
  registry.unregister_session(1);
  EXPECT_EQ(registry.offered().find({1})->schema, first) << "session 2 offers it on";
  registry.unregister_session(2);
  ASSERT_TRUE(registry.register_session(3, std::vector{described(1, second)}, 1).ok());
  EXPECT_EQ(registry.offered().find({1})->schema, second);
}

TEST(Registry, AMalformedOrTooLargeSchemaIsRefusedByNameAndCounted) {
  Registry registry({.schema_bytes_max = 200});
  const auto malformed = registry.register_session(1, std::vector{described(1, {}), described(2, Schema("junk"))}, 1);
  EXPECT_EQ(malformed.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(says(malformed, "function f2 has a malformed schema: it is no google.protobuf.FileDescriptorSet"))
      << malformed;
  const auto large = registry.register_session(1, std::vector{described(1, Schema(std::string(201, 'x')))}, 1);
  EXPECT_EQ(large.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(says(large, "the schema of function f1 takes 201 bytes")) << large;
  EXPECT_EQ(registry.counters().refused_schema, 2U);
  EXPECT_EQ(registry.session_count(), 0U);
}

TEST(Registry, DescriptionsAreBoundedPerAppAndPerNodeAndGivenBack) {
  const Schema schema = schema_of("string text = 1;", "int64 value = 1;");
  const std::size_t each = schema.bytes().size() + 2 + function(1, "f1").signature.size();
  Registry registry({.bytes_per_app_max = 2 * each, .bytes_max = 5 * each});
  const auto offer = [&](std::uint32_t session, std::vector<std::uint64_t> ids) {
    std::vector<FunctionInfo> functions;
    for (const std::uint64_t id : ids) functions.push_back(described(id, schema));
    return registry.register_session(session, functions, 1).code();
  };
  EXPECT_EQ(offer(1, {1, 2, 3}), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(offer(1, {1, 2}), absl::StatusCode::kOk);
  EXPECT_EQ(offer(2, {3, 4}), absl::StatusCode::kUnavailable) << "half of what is left: it may come back";
  EXPECT_EQ(offer(2, {1, 3}), absl::StatusCode::kOk) << "what is on offer already takes nothing";
  EXPECT_EQ(registry.counters().refused_limit, 2U);
  registry.unregister_session(1);
  EXPECT_EQ(offer(3, {4}), absl::StatusCode::kOk);
}

TEST(Registry, AppsWithManyFunctionsLeaveRoomForOneWithFew) {
  Registry registry({.functions_per_app_max = 4096, .functions_max = 16384});
  std::uint64_t id = 1;
  for (std::uint32_t session = 1; session < 20; ++session) {
    std::vector<FunctionInfo> many;
    for (int i = 0; i < 2000; ++i) many.push_back(function(id, "f" + std::to_string(id))), ++id;
    static_cast<void>(registry.register_session(session, many, 1));
  }
  EXPECT_TRUE(registry.register_session(99, std::vector{function(id, "honest")}, 1).ok());
}

TEST(Registry, EachBoundRefuses) {
  Registry registry({.functions_per_app_max = 2, .functions_max = 5, .name_bytes_max = 8, .slots_per_app_max = 16});
  EXPECT_EQ(registry.register_session(1, std::vector{function(1, "a"), function(2, "b"), function(3, "c")}, 1).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(registry.register_session(1, std::vector{function(1, "a")}, 17).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(registry.register_session(1, std::vector{function(1, "123456789")}, 1).code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(registry.register_session(1, std::vector{function(1, "")}, 1).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(registry.register_session(1, std::vector{function(1, "a"), function(2, "b")}, 16).ok());
  EXPECT_EQ(registry.register_session(1, std::vector{function(3, "c")}, 1).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(registry.register_session(2, std::vector{function(3, "c"), function(4, "d")}, 1).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_TRUE(registry.register_session(2, std::vector{function(1, "a"), function(3, "c")}, 1).ok());
}

}  // namespace
}  // namespace kaido::daemon
