// The schema of a function: its canonical text and fingerprint, and the protobuf descriptors derived from it.
#include <kaido/codec.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>

#include "sdk/function/codec_example.pb.h"
#include "sdk/function/codec_example_lite.pb.h"
#include "sdk/function/codec_zoo.h"

namespace kaido::codec_zoo {
namespace {

namespace pb = google::protobuf;
using codec_example::Person;
using detail::Defaulted;
using detail::fingerprint;
using detail::kSignature;
using detail::schema_descriptor;
using detail::schema_text;

/// The derived files in a pool, which accepts them.
class Files {
 public:
  explicit Files(const std::string& bytes) {
    EXPECT_TRUE(set_.ParseFromString(bytes));
    for (const pb::FileDescriptorProto& file : set_.file()) {
      file_ = pool_.BuildFile(file);
      EXPECT_NE(file_, nullptr) << file.DebugString();
    }
  }
  [[nodiscard]] const pb::FileDescriptor& last() const { return *file_; }
  [[nodiscard]] const pb::Descriptor& arguments() const { return *file_->FindMessageTypeByName("Arguments"); }
  [[nodiscard]] const pb::Descriptor& result() const { return *file_->FindMessageTypeByName("Result"); }
  [[nodiscard]] std::string text() const { return file_->DebugString(); }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const pb::FileDescriptorProto& file : set_.file()) names.push_back(file.name());
    return names;
  }

 private:
  pb::FileDescriptorSet set_;
  pb::DescriptorPool pool_;
  const pb::FileDescriptor* file_ = nullptr;
};

TEST(SchemaText, IsCanonical) {
  EXPECT_EQ((schema_text<std::int64_t, std::string_view, std::vector<double>>()), "(string, repeated double) -> int64");
  EXPECT_EQ(
      (schema_text<void, Shape>()),
      "({string, repeated {double, double}, optional int32, map<string, {repeated uint32}>, int32, oneof {{}, {double, "
      "double}, string}}) -> void");
  EXPECT_EQ((schema_text<Money, Empty, std::vector<std::uint8_t>>()), "({}, bytes) -> int64");
  EXPECT_EQ((schema_text<std::vector<Person>, Tree>()),
            "({int32, optional ^1, repeated ^1}) -> repeated message kaido.codec_example.Person");
  EXPECT_EQ((schema_text<std::uint8_t, std::optional<std::string>, char>()), "(optional string, uint32) -> uint32");
}

TEST(SchemaText, DoesNotTellTheSameBytesApart) {
  EXPECT_EQ((fingerprint<void, std::string>()), (fingerprint<void, std::string_view>()));
  EXPECT_EQ((fingerprint<void, std::vector<int>>()), (fingerprint<void, std::deque<int>>()));
  EXPECT_EQ((fingerprint<void, std::vector<int>>()), (fingerprint<void, std::set<int>>()));
  EXPECT_EQ((fingerprint<void, std::optional<int>>()), (fingerprint<void, std::unique_ptr<int>>()));
  EXPECT_EQ((fingerprint<void, Defaulted<int>>()), (fingerprint<void, std::optional<int>>()));
  EXPECT_NE((fingerprint<void, Defaulted<int>>()), (fingerprint<void, int>()));
  EXPECT_NE((fingerprint<void, std::string>()), (fingerprint<void, std::vector<char>>()));
  // Golden: part of the protocol, and equal from every compiler.
  static_assert(fingerprint<std::int64_t, std::string_view, std::vector<double>>() == 0x74e78851dc2d722d);
}

TEST(SchemaTables, TellViewsAndWhatIsNotSupported) {
  EXPECT_FALSE(detail::holds_view(detail::kFieldOf<std::vector<std::string>>));
  EXPECT_TRUE(detail::holds_view(detail::kFieldOf<std::map<int, std::vector<std::string_view>>>));
  EXPECT_TRUE(detail::is_supported(detail::kFieldOf<Tree>));
  EXPECT_FALSE(detail::is_supported(detail::kFieldOf<std::map<int, std::optional<int*>>>));
}

TEST(SchemaDescriptor, DescribesTheFunctionInTheLastFile) {
  static constexpr std::string_view kNames[] = {"text", "limit"};
  const Files files(
      schema_descriptor(kSignature<std::vector<std::string>, std::string, Defaulted<int>, double>, kNames));
  EXPECT_EQ(files.text(), R"(syntax = "proto3";

message Arguments {
  string text = 1;
  optional int32 limit = 2;
  double a3 = 3;
}

message Result {
  repeated string value = 1;
}

)");
  EXPECT_EQ(files.last().package(), "");
  EXPECT_EQ(files.arguments().field(0)->json_name(), "text");
  const pb::FieldDescriptor& limit = *files.arguments().field(1);
  EXPECT_TRUE(limit.has_presence());
  EXPECT_EQ(limit.real_containing_oneof(), nullptr);
  EXPECT_EQ(files.arguments().real_oneof_decl_count(), 0);
}

TEST(SchemaDescriptor, NothingIsAnEmptyMessage) {
  const Files files(schema_descriptor(kSignature<void>));
  EXPECT_EQ(files.arguments().field_count(), 0);
  EXPECT_EQ(files.result().field_count(), 0);
}

TEST(SchemaDescriptor, NestsStructsUnderTheirOwnNamesOnce) {
  const Files files(schema_descriptor(
      kSignature<Point, Shape, std::vector<Point>, std::pair<int, int>, std::vector<std::vector<int>>>));
  const pb::Descriptor& arguments = files.arguments();
  ASSERT_NE(arguments.FindNestedTypeByName("Shape"), nullptr);
  const pb::Descriptor* const point = arguments.FindNestedTypeByName("Point");
  ASSERT_NE(point, nullptr);
  EXPECT_EQ(arguments.field(1)->message_type(), point);
  EXPECT_EQ(files.result().field(0)->message_type(), point);
  EXPECT_EQ(arguments.field(2)->message_type()->name(), "M1");
  // A list as a single value has its one field called as in a result.
  EXPECT_EQ(arguments.field(3)->message_type()->field(0)->name(), "value");
  EXPECT_TRUE(arguments.field(3)->message_type()->field(0)->is_repeated());
}

struct Unlinked {  // in an unnamed namespace
  Point first;
  std::map<std::string, Point> all_points;
};
template <class T, char C>
struct Labelled {
  T content;
  std::array<T, 2> others;
};
template <std::size_t N>
struct Sized {
  std::vector<std::byte> block;
  std::unique_ptr<Sized> next;
};
struct Awkward {
  int A1Entry;
  std::map<int, int> a1;  // its entries' message would be called as the first member
  int size_, Size;        // one name in JSON
  std::optional<int> größe;
};

TEST(SchemaDescriptor, NamesTheMembersOfStructs) {
  struct Local {
    std::string text;
    bool is_loud;
  };
  const Files files(
      schema_descriptor(kSignature<Shape, Point, Unlinked, Local, Labelled<Point, '}'>, Sized<3>, Tree, Wide>));
  const auto names = [](const pb::Descriptor& message) {
    std::string text;
    for (int i = 0; i < message.field_count(); ++i) text += (i == 0 ? "" : " ") + message.field(i)->name();
    return text;
  };
  const auto argument = [&](int i) { return names(*files.arguments().field(i)->message_type()); };
  EXPECT_EQ(argument(0), "x y");
  EXPECT_EQ(argument(1), "first all_points");
  EXPECT_EQ(argument(2), "text is_loud");
  EXPECT_EQ(argument(3), "content others");
  EXPECT_EQ(argument(4), "block next");
  EXPECT_EQ(argument(5), "value left others");
  EXPECT_EQ(argument(6).substr(0, 9), "m1 m2 m3 ");
  EXPECT_EQ(argument(6).substr(argument(6).size() - 8), " m63 m64");
  const pb::Descriptor& shape = *files.result().field(0)->message_type();
  EXPECT_EQ(names(shape), "name points weight marks colour label");
  EXPECT_EQ(names(*shape.FindFieldByName("label")->message_type()), "a1 a2 a3");  // alternatives have no names
}

TEST(SchemaDescriptor, MembersThatProtobufCannotNameAreNumbered) {
  const Files files(schema_descriptor(kSignature<std::pair<int, int>, Awkward>));
  const pb::Descriptor& awkward = *files.arguments().field(0)->message_type();
  EXPECT_EQ(awkward.field(0)->name(), "A1Entry");
  EXPECT_EQ(awkward.field(1)->name(), "a2");
  EXPECT_EQ(awkward.field(2)->name(), "size_");
  EXPECT_EQ(awkward.field(3)->name(), "a4");
  EXPECT_EQ(awkward.field(4)->name(), "a5");
  EXPECT_EQ(files.result().field(0)->message_type()->field(0)->name(), "a1");
}

TEST(SchemaDescriptor, NamesOfMembersAreNoPartOfTheFingerprint) {
  struct Before {
    double x, y;
  };
  struct Renamed {
    double longitude, latitude;
  };
  EXPECT_EQ((fingerprint<Before, Before>()), (fingerprint<Renamed, Renamed>()));
  EXPECT_NE(schema_descriptor(kSignature<Before, Before>), schema_descriptor(kSignature<Renamed, Renamed>));
}

TEST(MemberNames, AreCutOutOfWhatEachCompilerWrites) {
  using Names = std::vector<std::string_view>;
  using detail::cut_member_names;
  const char* const gcc =
      "constexpr const char* kaido::detail::member_names() [with kaido::detail::MemberAddress ...M = "
      "{kaido::detail::MemberAddress{((const void*)(& kaido::detail::kUnmade<{anonymous}::P<A{1}> "
      ">.kaido::detail::Unmade<{anonymous}::P<A{1}> >::object.{anonymous}::P<A{1}>::x))}, "
      "kaido::detail::MemberAddress{((const void*)(& kaido::detail::kUnmade<{anonymous}::P<A{1}> "
      ">.kaido::detail::Unmade<{anonymous}::P<A{1}> >::object.{anonymous}::P<A{1}>::y_2))}}]";
  EXPECT_EQ(cut_member_names(gcc, 2), (Names{"x", "y_2"}));
  EXPECT_EQ(cut_member_names("const char *kaido::detail::member_names() [M = <{&kUnmade.object.x}>]", 1), Names{"x"});
  EXPECT_EQ(cut_member_names("const char *kaido::detail::member_names() [M = <MemberAddress{&kUnmade.object.x}, "
                             "MemberAddress{&kUnmade.object.y}>]",
                             2),
            (Names{"x", "y"}));
  EXPECT_EQ(cut_member_names(gcc, 3), Names{});
  EXPECT_EQ(cut_member_names("something else", 1), Names{});
  EXPECT_EQ(cut_member_names("M = }", 1), Names{});
  EXPECT_EQ(cut_member_names(nullptr, 0), Names{});
}

TEST(SchemaDescriptor, DescribesMapsAsMapsWhereProtobufCan) {
  const Files files(schema_descriptor(kSignature<void, std::map<std::string, Point>, std::map<double, int>>));
  const pb::Descriptor& arguments = files.arguments();
  EXPECT_TRUE(arguments.field(0)->is_map());
  EXPECT_FALSE(arguments.field(1)->is_map());
  EXPECT_TRUE(arguments.field(1)->is_repeated());
  // Key and value are always written, which for a message is what `optional` is.
  EXPECT_TRUE(arguments.field(1)->message_type()->FindFieldByName("key")->has_presence());
}

TEST(SchemaDescriptor, DescribesVariantsAsOneofs) {
  const Files files(schema_descriptor(kSignature<void, std::variant<int, std::vector<Point>>>));
  const pb::Descriptor& variant = *files.arguments().field(0)->message_type();
  ASSERT_EQ(variant.real_oneof_decl_count(), 1);
  EXPECT_EQ(variant.oneof_decl(0)->field_count(), 2);
  EXPECT_EQ(variant.oneof_decl(0)->name(), "value");
}

TEST(SchemaDescriptor, DescribesRecursion) {
  const Files files(schema_descriptor(kSignature<Tree, Tree>));
  const pb::Descriptor& tree = *files.arguments().field(0)->message_type();
  EXPECT_EQ(tree.field(1)->message_type(), &tree);
  EXPECT_EQ(files.result().field(0)->message_type(), &tree);
}

TEST(SchemaDescriptor, PutsTheFilesOfGeneratedMessagesFirst) {
  const Files files(
      schema_descriptor(kSignature<std::map<int, Person>, Person, Person::Address, std::optional<Person>>));
  EXPECT_EQ(files.names(), (std::vector<std::string>{"sdk/function/codec_example_colour.proto",
                                                     "sdk/function/codec_example.proto", "kaido_function.proto"}));
  EXPECT_EQ(files.arguments().field(0)->message_type()->full_name(), "kaido.codec_example.Person");
  EXPECT_EQ(files.arguments().field(1)->message_type()->full_name(), "kaido.codec_example.Person.Address");
}

TEST(SchemaDescriptor, ShowsMessagesOfTheLiteRuntimeAsBytes) {
  const Files files(schema_descriptor(kSignature<void, codec_example::Small>));
  EXPECT_EQ(files.arguments().field(0)->type(), pb::FieldDescriptor::TYPE_BYTES);
  codec_example::Small small;
  small.set_number(5);
  EXPECT_EQ(encode_text(small), std::string("\x0a\x02\x08\x05"));
}

TEST(SchemaDescriptor, AvoidsEveryConflictOfNames) {
  // Names of fields, oneofs, entries and types share a scope; fields must also differ in JSON's spelling.
  const auto text = [](const std::vector<std::string_view>& names) {
    const Files files(schema_descriptor(
        kSignature<void, Shape, std::map<int, Point>, std::optional<int>, std::vector<std::vector<int>>>, names));
    return files.text();
  };
  for (const auto& names : std::vector<std::vector<std::string_view>>{{"Shape", "Point", "M1", "Shape2"},
                                                                      {"limit_a", "limitA", "a2", "a1"},
                                                                      {"", "not a name", "1", "_"},
                                                                      {"a4", "a3", "a2", "a1"},
                                                                      {"x", "shape", "_x", "X"},
                                                                      {"value", "key", "Arguments", "Result"}}) {
    EXPECT_NE(text(names).find("map<int32, .Arguments.Point"), std::string::npos) << text(names);
  }
}

}  // namespace
}  // namespace kaido::codec_zoo
