#include "daemon/core/schema/parsed_schema.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "daemon/core/schema/schema_text.h"

namespace kaido::daemon {
namespace {

std::string refusal(const Schema& schema) {
  const auto parsed = ParsedSchema::parse(schema.bytes());
  return parsed.ok() ? "accepted" : std::string(parsed.status().message());
}

TEST(ParsedSchema, GivesTheMessagesOfArgumentsAndResult) {
  const Schema bytes = schema_of("string text = 1; repeated double weights = 2;", "int64 value = 1;");
  const auto schema = ParsedSchema::parse(bytes.bytes());
  ASSERT_TRUE(schema.ok()) << schema.status();
  EXPECT_EQ(schema->arguments().field_count(), 2);
  EXPECT_EQ(schema->arguments().field(1)->name(), "weights");
  EXPECT_EQ(schema->result().field(0)->name(), "value");
}

TEST(ParsedSchema, ReadsTheFilesThatItImports) {
  const Schema bytes =
      schema_from_text("message Arguments { geo.Point a1 = 1; } message Result {}",
                       {{"geo.proto", "syntax = \"proto3\"; package geo; message Point { double x = 1; }"}});
  const auto schema = ParsedSchema::parse(bytes.bytes());
  ASSERT_TRUE(schema.ok()) << schema.status();
  EXPECT_EQ(schema->arguments().field(0)->message_type()->full_name(), "geo.Point");
}

TEST(ParsedSchema, RefusesWhatIsNoSchemaAndSaysWhy) {
  EXPECT_EQ(refusal(Schema("\xff\xff")), "malformed schema: it is no google.protobuf.FileDescriptorSet");
  EXPECT_EQ(refusal(Schema("")), "malformed schema: it has no file");
  EXPECT_EQ(refusal(schema_from_text("message Arguments {}")),
            "malformed schema: its last file lacks the message Arguments or Result");
  EXPECT_EQ(refusal(schema_of("", "int64 value = 2;")), "malformed schema: Result has other fields than value = 1");
  EXPECT_EQ(refusal(schema_of("Nobody a1 = 1;")),
            "malformed schema: Arguments.a1 in function.proto: \"Nobody\" is not defined.");
  google::protobuf::FileDescriptorSet proto2;
  proto2.add_file()->set_name("f.proto");
  EXPECT_EQ(refusal(Schema(proto2.SerializeAsString())), "malformed schema: its last file is not proto3");
}

TEST(ParsedSchema, EveryCutAndEveryChangedByteIsParsedOrRefused) {
  const std::string whole(schema_of("message Point { double x = 1; } Point p = 1; map<string, int32> m = 2;").bytes());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_NE(refusal(Schema(whole.substr(0, size))), "accepted") << size;
    std::string changed = whole;
    for (const char c : {'\0', '\x7f', '\xff'}) {
      changed[size] = c;
      EXPECT_FALSE(refusal(Schema(changed)).empty());
    }
  }
}

}  // namespace
}  // namespace kaido::daemon
