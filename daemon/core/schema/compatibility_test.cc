// The table of docs/protocol/arguments.md, "Evolution".
#include "daemon/core/schema/compatibility.h"

#include <gtest/gtest.h>

#include "daemon/core/schema/schema_text.h"

namespace kaido::daemon {
namespace {

std::string difference(const Schema& caller, const Schema& worker) {
  return find_incompatibility(caller, worker).value_or("");
}

struct Case {
  const char* caller;
  const char* worker;
  const char* difference;  // empty: compatible
};

class Arguments : public ::testing::TestWithParam<Case> {};

TEST_P(Arguments, AreComparedFieldByField) {
  const Case& c = GetParam();
  EXPECT_EQ(difference(schema_of(c.caller), schema_of(c.worker)), c.difference) << c.caller << " → " << c.worker;
}

INSTANTIATE_TEST_SUITE_P(
    SameType, Arguments,
    ::testing::Values(
        Case{"string a = 1;", "string text = 1;", ""},  // names are for people
        Case{"int32 a = 1;", "int64 a = 1;", ""}, Case{"int64 a = 1;", "int32 a = 1;", ""},
        Case{"uint32 a = 1;", "uint64 a = 1;", ""}, Case{"sint64 a = 1;", "sint32 a = 1;", ""},
        Case{"repeated int32 a = 1;", "repeated int64 a = 1;", ""}, Case{"string a = 1;", "bytes a = 1;", ""},
        Case{"bytes a = 1;", "string a = 1;", ""}, Case{"map<string, int32> a = 1;", "map<string, int64> a = 1;", ""},
        Case{"int32 a = 1;", "uint32 a = 1;", "argument 1 (a): int32 for the caller, uint32 for the worker"},
        Case{"int32 a = 1;", "uint64 a = 1;", "argument 1 (a): int32 for the caller, uint64 for the worker"},
        Case{"int32 a = 1;", "sint32 a = 1;", "argument 1 (a): int32 for the caller, sint32 for the worker"},
        Case{"int64 a = 1;", "fixed64 a = 1;", "argument 1 (a): int64 for the caller, fixed64 for the worker"},
        Case{"int32 a = 1;", "bool a = 1;", "argument 1 (a): int32 for the caller, bool for the worker"},
        Case{"float a = 1;", "double a = 1;", "argument 1 (a): float for the caller, double for the worker"},
        Case{"string a = 1; int64 limit = 2;", "string a = 1; string limit = 2;",
             "argument 2 (limit): int64 for the caller, string for the worker"},
        Case{"map<string, int32> a = 1;", "map<string, bool> a = 1;",
             "argument 1 (a), field 2 (value): int32 for the caller, bool for the worker"}));

INSTANTIATE_TEST_SUITE_P(
    Shape, Arguments,
    ::testing::Values(
        Case{"int32 a = 1;", "repeated int32 a = 1;",
             "argument 1 (a): int32 for the caller, repeated int32 for the worker"},
        Case{"repeated int32 a = 1;", "int32 a = 1;",
             "argument 1 (a): repeated int32 for the caller, int32 for the worker"},
        Case{
            "int32 a = 1;", "optional int32 a = 1;",
            "argument 1 (a): int32 for the caller, optional int32 for the worker; zero and absent would change places"},
        Case{
            "optional int32 a = 1;", "int32 a = 1;",
            "argument 1 (a): optional int32 for the caller, int32 for the worker; zero and absent would change places"},
        Case{"optional int32 a = 1;", "optional int64 a = 1;", ""},
        Case{"message P { int32 x = 1; } P a = 1;", "message P { int32 x = 1; } optional P a = 1;",
             "argument 1 (a): message P for the caller, optional message P for the worker; zero and absent would "
             "change places"},
        Case{"message P { int32 x = 1; } P a = 1;", "bytes a = 1;",
             "argument 1 (a): message P for the caller, bytes for the worker"},
        Case{"string a = 1;", "message P { int32 x = 1; } P a = 1;",
             "argument 1 (a): string for the caller, message P for the worker"},
        Case{"int32 a = 1;", "optional string a = 1;",
             "argument 1 (a): int32 for the caller, optional string for the worker"},
        Case{"message P { int32 x = 1; } repeated P a = 1;", "repeated bytes a = 1;",
             "argument 1 (a): repeated message P for the caller, repeated bytes for the worker"},
        Case{"map<string, int32> a = 1;", "message E { string key = 1; int32 value = 2; } repeated E a = 1;",
             "argument 1 (a): map<string, int32> for the caller, repeated message E for the worker"}));

INSTANTIATE_TEST_SUITE_P(
    OneSideOnly, Arguments,
    ::testing::Values(
        // An old caller and a worker that learned something, and the other way round.
        Case{"string a = 1;", "string a = 1; optional int32 b = 2;", ""},
        Case{"string a = 1; optional int32 b = 2;", "string a = 1;", ""},
        Case{"string a = 1;", "string a = 1; repeated int32 b = 2; map<string, bool> c = 3;", ""},
        Case{"", "optional int32 a = 1;", ""},
        Case{"string a = 1;", "string a = 1; int32 b = 2;",
             "argument 2 (b): int32, which only the worker knows, is neither optional nor repeated"},
        Case{"string a = 1; int32 b = 2;", "string a = 1;",
             "argument 2 (b): int32, which only the caller knows, is neither optional nor repeated"},
        Case{"string a = 1; string c = 3;", "string a = 1; optional int32 b = 2; string c = 3;",
             "argument 2 (b): optional int32, which only the worker knows, is not behind all that both know"},
        Case{"message P { int32 x = 1; } string a = 1;", "message P { int32 x = 1; } string a = 1; P b = 2;",
             "argument 2 (b): message P, which only the worker knows, is neither optional nor repeated"}));

INSTANTIATE_TEST_SUITE_P(
    Nested, Arguments,
    ::testing::Values(
        Case{"message P { int32 x = 1; } P a = 1;", "message Q { int64 left = 1; optional string label = 2; } Q a = 1;",
             ""},
        Case{"message P { int32 x = 1; } P a = 1;", "message P { int32 x = 1; int32 y = 2; } P a = 1;",
             "argument 1 (a), field 2 (y): int32, which only the worker knows, is neither optional nor repeated"},
        Case{"message P { int32 x = 1; } repeated P a = 1;", "message P { string x = 1; } repeated P a = 1;",
             "argument 1 (a), field 1 (x): int32 for the caller, string for the worker"},
        // Types that contain themselves end.
        Case{"message L { int32 x = 1; optional L next = 2; } L a = 1;",
             "message L { int64 x = 1; optional L next = 2; } L a = 1;", ""},
        Case{"message L { int32 x = 1; optional L next = 2; } L a = 1;",
             "message M { string x = 1; } message L { int32 x = 1; optional M next = 2; } L a = 1;",
             "argument 1 (a), field 2 (next), field 1 (x): int32 for the caller, string for the worker"}));

INSTANTIATE_TEST_SUITE_P(
    Choices, Arguments,
    ::testing::Values(
        Case{"message V { oneof of { int32 i = 1; string s = 2; } } V a = 1;",
             "message V { oneof of { int64 i = 1; bytes s = 2; } } V a = 1;", ""},
        Case{"message V { oneof of { int32 i = 1; } } V a = 1;",
             "message V { oneof of { int32 i = 1; string s = 2; } } V a = 1;",
             "argument 1 (a), field 2 (s): string, which only the worker knows, is an alternative of a choice"},
        Case{"message V { oneof of { int32 i = 1; string s = 2; } } V a = 1;",
             "message V { oneof of { int32 i = 1; } optional string s = 2; } V a = 1;",
             "argument 1 (a), field 2 (s): string for the caller, optional string for the worker; they are not "
             "alternatives of the same choice"}));

struct ResultCase {
  const char* caller;
  const char* worker;
  const char* difference;
};

TEST(Compatibility, TheResultGoesTheOtherWayByTheSameRules) {
  const ResultCase cases[] = {
      {"int64 value = 1;", "int32 value = 1;", ""},
      {"", "", ""},
      {"int64 value = 1;", "string value = 1;", "result: string for the worker, int64 for the caller"},
      {"", "int64 value = 1;", "result: int64, which only the worker knows, is neither optional nor repeated"},
      {"int64 value = 1;", "", "result: int64, which only the caller knows, is neither optional nor repeated"},
      {"", "optional int64 value = 1;", ""},
      {"message P { int32 x = 1; } P value = 1;", "message P { bool x = 1; } P value = 1;",
       "result, field 1 (x): bool for the worker, int32 for the caller"},
  };
  for (const ResultCase& c : cases) {
    EXPECT_EQ(difference(schema_of("", c.caller), schema_of("", c.worker)), c.difference)
        << c.caller << " ← " << c.worker;
  }
}

Schema with_point(const std::string& fields) {
  return schema_from_text("message Arguments { geo.Point p = 1; } message Result { geo.Point value = 1; }",
                          {{"geo.proto", "syntax = \"proto3\"; package geo; message Point { " + fields + " }"}});
}

TEST(Compatibility, GeneratedMessagesGoByProtobufsOwnRules) {
  EXPECT_EQ(
      difference(with_point("double x = 1; double z = 3;"), with_point("double x = 1; double y = 2; double z = 3;")),
      "");
  EXPECT_EQ(
      difference(with_point("double x = 1;"), with_point("oneof o { double x = 1; int32 y = 2; }")),
      "argument 1 (p), field 1 (x): double for the caller, double for the worker; zero and absent would change places");
  EXPECT_EQ(
      difference(with_point("int64 x = 1;"), with_point("int32 x = 1;")),
      "argument 1 (p), field 1 (x): int64 for the caller, int32 for the worker; a generated message would cut off "
      "what does not fit");
  EXPECT_EQ(difference(with_point("double x = 1;"), with_point("float x = 1;")),
            "argument 1 (p), field 1 (x): double for the caller, float for the worker");
}

TEST(Compatibility, OfWhatIsUnknownOnlyTheSameIsCompatible) {
  const Schema known = schema_of("string a = 1;");
  EXPECT_EQ(difference(Schema(), known), "the caller states no schema to compare");
  EXPECT_EQ(difference(known, Schema()), "the worker states no schema to compare");
  EXPECT_EQ(difference(known, Schema("junk")),
            "the worker has a malformed schema: it is no google.protobuf.FileDescriptorSet");
  EXPECT_EQ(difference(Schema("junk"), known),
            "the caller has a malformed schema: it is no google.protobuf.FileDescriptorSet");
  EXPECT_EQ(difference(known, known), "");
}

TEST(Compatibility, DepthIsBounded) {
  std::string chain;
  for (int i = 1; i < 90; ++i) {
    chain += "message M" + std::to_string(i) + " { M" + std::to_string(i - 1) + " m = 1; } ";
  }
  const std::string caller = "message M0 { int32 x = 1; } " + chain + "M89 a = 1;";
  const std::string worker = "message M0 { int64 x = 1; } " + chain + "M89 a = 1;";
  EXPECT_NE(difference(schema_of(caller), schema_of(worker)).find("too many or too deep"), std::string::npos);
}

}  // namespace
}  // namespace kaido::daemon
