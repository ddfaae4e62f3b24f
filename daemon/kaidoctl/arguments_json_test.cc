#include "daemon/kaidoctl/arguments_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>

#include "daemon/core/schema/schema_text.h"

namespace kaido::daemon {
namespace {

ParsedSchema parse(const Schema& schema) {
  auto parsed = ParsedSchema::parse(schema.bytes());
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return *std::move(parsed);
}

const char* const kArguments =
    "message Point { double x = 1; optional string label = 2; }"
    "message Either { oneof of { int32 i = 1; string s = 2; } }"
    "string text = 1; int64 limit = 2; optional bool loud = 3; repeated double weights = 4; map<string, int32> counts "
    "= 5;"
    "optional Point origin = 6; repeated Point path = 7; bytes data = 8; optional Either either = 9;";

// What is understood, as libprotobuf's text.
std::string understood(const std::string& json, const std::string& fields = kArguments) {
  const ParsedSchema schema = parse(schema_of(fields));
  const auto bytes = arguments_from_json(schema, json);
  if (!bytes.ok()) return std::string(bytes.status().message());
  google::protobuf::DynamicMessageFactory factory(schema.file().pool());
  const std::unique_ptr<google::protobuf::Message> message(factory.GetPrototype(&schema.arguments())->New());
  EXPECT_TRUE(message->ParseFromString(*bytes));
  return message->ShortDebugString();
}

TEST(ArgumentsFromJson, AreEncodedByTheSchema) {
  EXPECT_EQ(understood(R"({"text": "a b", "limit": 3, "data": ""})"), R"(text: "a b" limit: 3)");
  EXPECT_EQ(understood(R"({"text": "", "limit": "9007199254740993", "data": "aGk="})"),
            R"(limit: 9007199254740993 data: "hi")");
  EXPECT_EQ(understood(R"({"text": "x", "limit": 1, "data": "", "loud": false, "weights": [1, 2.5], "counts": {"a": 1},
                           "origin": {"x": 1}, "path": [{"x": 2, "label": "b"}], "either": {"s": "y"}})"),
            R"(text: "x" limit: 1 loud: false weights: 1 weights: 2.5 counts { key: "a" value: 1 } origin { x: 1 } )"
            R"(path { x: 2 label: "b" } either { s: "y" })");
  EXPECT_EQ(understood("{}", ""), "");
  EXPECT_EQ(understood(R"({"maxCount": 1})", "int32 max_count = 1;"), "max_count: 1");
}

TEST(ArgumentsFromJson, WhatIsWrongIsNamed) {
  const auto with = [](const std::string& more) { return R"({"text": "x", "limit": 1, "data": "", )" + more + "}"; };
  EXPECT_EQ(understood("{}"), "missing: text, limit, data");
  EXPECT_EQ(understood(R"({"text": null, "limit": 1, "data": ""})"), "missing: text");
  EXPECT_EQ(understood(with(R"("txt": 1)")),
            "txt: there is no such field; there is text, limit, loud, weights, counts, origin, path, data, either");
  EXPECT_EQ(understood(R"({"text": "x", "limit": "many", "data": ""})"),
            R"(limit: invalid value "many" for type int64)");
  EXPECT_EQ(understood(R"({"text": 7, "limit": 1, "data": ""})"), "text: invalid value 7 for type string");
  EXPECT_EQ(understood(R"({"text": "x", "limit": 1, "data": "%"})"), R"(data: invalid value "%" for type bytes)");
  EXPECT_EQ(understood(with(R"("loud": "yes")")), "loud: true or false is expected");
  EXPECT_EQ(understood(with(R"("weights": 3)")), "weights: a list is expected");
  EXPECT_EQ(understood(with(R"("weights": [1, "a"])")), R"(weights[1]: invalid value "a" for type double)");
  EXPECT_EQ(understood(with(R"("counts": [1])")), "counts: an object is expected");
  EXPECT_EQ(understood(with(R"("origin": 3)")), "origin: an object is expected");
  EXPECT_EQ(understood(with(R"("origin": {"y": 1})")), "origin.y: there is no such field; there is x, label");
  EXPECT_EQ(understood(with(R"("path": [{"x": 1}, {}])")), "missing: path[1].x");
  EXPECT_EQ(understood(with(R"("either": {})")), "missing: one of either.i, either.s");
  EXPECT_EQ(understood(R"({"a": 1})", ""), "a: there is no such field; there is none");
  EXPECT_EQ(understood(""), "no JSON was given");
  EXPECT_EQ(understood("[1]").find("not a JSON object: "), 0U) << understood("[1]");
  EXPECT_EQ(understood(R"({"text": )").find("not a JSON object: "), 0U) << understood(R"({"text": )");
}

TEST(ArgumentsFromJson, GeneratedMessagesKeepTheirDefaults) {
  const Schema schema = schema_from_text(
      "message Arguments { geo.Point p = 1; } message Result {}",
      {{"geo.proto", "syntax = \"proto3\"; package geo; message Point { double x = 1; double y = 2; }"}});
  EXPECT_TRUE(arguments_from_json(parse(schema), R"({"p": {"y": 1}})").ok());
  const auto unknown = arguments_from_json(parse(schema), R"({"p": {"z": 1}})");
  EXPECT_EQ(unknown.status().message(), "p z: Cannot find field.");
}

std::string encode(const ParsedSchema& schema, const std::string& json) {
  // A result is as good as arguments here: the same message under another name.
  const auto bytes = arguments_from_json(schema, json);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

TEST(Result, AsJsonAndAsText) {
  struct Case {
    const char* type;
    const char* value;
    const char* json;
    const char* text;
  };
  const Case cases[] = {
      {"int64", "3", R"({"value":"3"})", "3"},
      {"uint64", "18446744073709551615", R"({"value":"18446744073709551615"})", "18446744073709551615"},
      {"int32", "0", R"({"value":0})", "0"},
      {"double", "2.5", R"({"value":2.5})", "2.5"},
      {"bool", "true", R"({"value":true})", "true"},
      {"string", R"("a \"b\"")", R"({"value":"a \"b\""})", "a \"b\""},
      {"optional int32", "null", "{}", "null"},
      {"repeated int32", "[1,2]", R"({"value":[1,2]})", "[1,2]"},
      {"repeated int32", "[]", R"({"value":[]})", "[]"},
      {"map<string, int64>", R"({"a":1})", R"({"value":{"a":"1"}})", R"({"a":"1"})"},
  };
  for (const Case& c : cases) {
    const std::string field = std::string(c.type) + " value = 1;";
    const ParsedSchema schema = parse(schema_of(field, field));
    const std::string bytes = encode(schema, std::string(R"({"value":)") + c.value + "}");
    EXPECT_EQ(result_to_json(schema, bytes).value_or("failed"), c.json) << c.type;
    EXPECT_EQ(result_to_text(schema, bytes).value_or("failed"), c.text) << c.type;
  }
  const ParsedSchema nothing = parse(schema_of(""));
  EXPECT_EQ(result_to_json(nothing, "").value_or("failed"), "{}");
  EXPECT_EQ(result_to_text(nothing, "").value_or("failed"), "");
}

TEST(Result, ThatIsNotWhatTheSchemaSaysIsAnError) {
  const ParsedSchema schema = parse(schema_of("", "repeated string value = 1;"));
  EXPECT_EQ(result_to_json(schema, "\xff").status().message(), "the result is not what the schema says");
  EXPECT_EQ(result_to_text(schema, "\x0a\x05x").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace kaido::daemon
