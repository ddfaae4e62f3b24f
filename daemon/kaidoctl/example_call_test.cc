#include "daemon/kaidoctl/example_call.h"

#include <gtest/gtest.h>

#include "daemon/core/schema/schema_text.h"
#include "daemon/kaidoctl/arguments_json.h"

namespace kaido::daemon {
namespace {

ParsedSchema parse(const Schema& schema) {
  auto parsed = ParsedSchema::parse(schema.bytes());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return *std::move(parsed);
}

/// The example's JSON, which a call accepts; "": there is none.
std::string example(const Schema& of) {
  const ParsedSchema schema = parse(of);
  const auto call = example_call("f", "", schema);
  if (!call) return "";
  if (*call == "kaidoctl call f") return "{}";
  EXPECT_TRUE(call->starts_with("kaidoctl call f '") && call->ends_with('\'')) << *call;
  std::string json = call->substr(17, call->size() - 18);
  const auto accepted = arguments_from_json(schema, json);
  EXPECT_TRUE(accepted.ok()) << json << ": " << accepted.status();
  return json;
}
std::string example(const std::string& fields) { return example(schema_of(fields)); }

TEST(ExampleCall, HasWhatMustBeGivenAndOneElementOfEachList) {
  EXPECT_EQ(example("message Options { int32 retries = 1; string name = 2; } Options options = 1;"),
            R"({"options": {"retries": 0, "name": "x"}})");
  EXPECT_EQ(example("string text = 1; optional int64 limit = 2; repeated double weights = 3; bytes data = 4; "
                    "bool is_loud = 5; uint64 big = 6;"),
            R"({"text": "x", "weights": [0], "data": "eA==", "is_loud": false, "big": 0})");
  EXPECT_EQ(example("message Point { double x = 1; optional string label = 2; } repeated Point path = 1; "
                    "map<string, Point> named = 2; map<int32, bool> flags = 3; map<bool, int32> counts = 4;"),
            R"({"path": [{"x": 0}], "named": {"x": {"x": 0}}, "flags": {"0": false}, "counts": {"false": 0}})");
  EXPECT_EQ(example("message Either { oneof value { int32 a1 = 1; string a2 = 2; } } Either either = 1;"),
            R"({"either": {"a1": 0}})");
  EXPECT_EQ(example("optional int32 only = 1;"), "{}");
  EXPECT_EQ(example(""), "{}");
}

TEST(ExampleCall, EndsWhereATypeContainsItself) {
  EXPECT_EQ(example("message Tree { int32 value = 1; optional Tree left = 2; repeated Tree others = 3; "
                    "map<string, Tree> named = 4; } Tree tree = 1;"),
            R"({"tree": {"value": 0}})");
  EXPECT_EQ(example("message A { repeated B b = 1; } message B { repeated A a = 1; int32 i = 2; } A a = 1;"),
            R"({"a": {"b": [{"i": 0}]}})");
  EXPECT_EQ(example("message Endless { Endless again = 1; } Endless endless = 1;"), "");
}

TEST(ExampleCall, WritesOtherPeoplesMessagesAsProtobufDoes) {
  EXPECT_EQ(example(schema_from_text(
                "message Arguments { geo.Point p = 1; repeated geo.Kind kinds = 2; } message Result {}",
                {{"geo.proto",
                  "syntax = \"proto3\"; package geo; enum Kind { NONE = 0; SOME = 1; } message Point { double x = 1; "
                  "string name = 2; optional int32 z = 3; }"}})),
            R"({"p": {"x":0,"name":""}, "kinds": ["NONE"]})");
}

TEST(ExampleCall, IsNotMadeWhereItWouldBeLong) {
  std::string fields;
  for (int i = 1; i <= 300; ++i) {
    fields += "string parameter_" + std::to_string(i) + " = " + std::to_string(i) + ";";
  }
  EXPECT_EQ(example(fields), "");
  // Each message has two of the next: a short schema of a value without end.
  for (const char* const leaf : {"int32 i = 1;", ""}) {
    std::string nested = std::string("message M30 { ") + leaf + " }";
    for (int i = 29; i >= 0; --i) {
      const std::string next = "M" + std::to_string(i + 1);
      nested += "message M" + std::to_string(i) + " { " + next + " a = 1; " + next + " b = 2; }";
    }
    EXPECT_EQ(example(nested + "M0 all = 1;"), "");
  }
}

TEST(ExampleCall, IsQuotedForAShell) {
  const ParsedSchema schema = parse(schema_of("int32 a = 1;"));
  EXPECT_EQ(example_call("geo::walk", "", schema), R"(kaidoctl call geo::walk '{"a": 0}')");
  EXPECT_EQ(example_call("sort<int>", "0a", schema), R"(kaidoctl call 'sort<int>' '{"a": 0}' --fingerprint 0a)");
  EXPECT_EQ(example_call("it's $(x)", "", schema), R"(kaidoctl call 'it'\''s $(x)' '{"a": 0}')");
  EXPECT_EQ(example_call("where", "", parse(schema_of(""))), "kaidoctl call where");
}

}  // namespace
}  // namespace kaido::daemon
