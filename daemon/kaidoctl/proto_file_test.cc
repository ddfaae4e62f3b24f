#include "daemon/kaidoctl/proto_file.h"

#include <gtest/gtest.h>

#include "daemon/core/schema/schema_text.h"

namespace kaido::daemon {
namespace {

using Parts = std::vector<std::string>;

TEST(PackageOf, IsTheFunctionsNameInProtobufsAlphabet) {
  EXPECT_EQ(package_of("count_words"), (Parts{"count_words"}));
  EXPECT_EQ(package_of("geo::sort<int>"), (Parts{"geo", "sort_int_"}));
  EXPECT_EQ(package_of("python.2nd"), (Parts{"python", "_2nd"}));
  EXPECT_EQ(package_of("::a::::b::"), (Parts{"a", "b"}));
  EXPECT_EQ(package_of("\xc3\xa4"), (Parts{"__"}));
  EXPECT_EQ(package_of("::"), (Parts{"function"}));
}

v1::DescribeFunctionResponse described(const std::string& name) {
  v1::DescribeFunctionResponse function;
  function.set_name(name);
  for (const char* fingerprint : {"0a", "0b"}) {
    v1::FunctionVersion& version = *function.add_versions();
    version.set_id("07");
    version.set_fingerprint(fingerprint);
    version.set_signature("({double}) -> void");
    v1::FunctionOffer& offer = *version.add_offers();
    offer.set_node("alpha");
    offer.set_slots(2);
  }
  return function;
}

TEST(FormatProto, NamesTheVersionsAndPutsTheMessagesIntoAPackage) {
  const Schema schema = schema_from_text(
      "message Arguments { message Point { double x = 1; optional Point next = 2; } Point at = 1; geo.Box in = 2; "
      "map<string, Point> all = 3; } message Result {}",
      {{"geo/box.proto", "syntax = \"proto3\"; package geo; message Box { double w = 1; }"}});
  const auto parsed = ParsedSchema::parse(schema.bytes());
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const ProtoFile file = format_proto(described("geo::walk"), 1, &*parsed);
  EXPECT_EQ(file.name, "geo/walk.proto");
  EXPECT_EQ(file.text, R"(// geo::walk({double}) -> void
// id 07, fingerprint 0b
// offered by alpha (2 slots)
// another version: ({double}) -> void, fingerprint 0a, offered by alpha (2 slots)
// example: kaidoctl call geo::walk '{"at": {"x": 0}, "in": {"w":0}, "all": {"x": {"x": 0}}}' --fingerprint 0b
// imports geo/box.proto: see --proto-dir

syntax = "proto3";

import "geo/box.proto";
package geo.walk;

message Arguments {
  message Point {
    double x = 1;
    optional .geo.walk.Arguments.Point next = 2;
  }
  .geo.walk.Arguments.Point at = 1;
  .geo.Box in = 2;
  map<string, .geo.walk.Arguments.Point> all = 3;
}

message Result {
}

)");
  const auto imports = imports_of(*parsed);
  ASSERT_EQ(imports.size(), 1U);
  EXPECT_EQ(imports[0].name, "geo/box.proto");
}

TEST(FormatProto, KeepsControlCharactersInTheirComment) {
  v1::DescribeFunctionResponse function = described("f");
  function.mutable_versions(0)->set_signature("()\nmessage Evil {}");
  const ProtoFile file = format_proto(function, 0, nullptr);
  EXPECT_EQ(file.text.find("\nmessage"), std::string::npos) << file.text;
  EXPECT_NE(file.text.find("// no schema"), std::string::npos);
}

}  // namespace
}  // namespace kaido::daemon
