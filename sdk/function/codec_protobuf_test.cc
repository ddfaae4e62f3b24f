// Differential: what the codec writes is what libprotobuf writes for the same schema, and each reads the other's bytes.
// The schema is built at run time, so that no generated code stands between the two.
#include <kaido/codec.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace kaido::detail {
namespace {

namespace pb = google::protobuf;

struct Inner {
  std::int32_t number = 0;
  std::string text;
  bool operator==(const Inner&) const = default;
};

using Args = Arguments<bool, std::int32_t, std::int64_t, std::uint32_t, std::uint64_t, float, double, std::string,
                       std::vector<std::byte>, std::optional<std::int32_t>, std::vector<std::int64_t>, std::vector<double>,
                       std::vector<std::string>, Inner, std::vector<Inner>, std::map<std::string, std::int32_t>,
                       std::map<std::int32_t, Inner>, std::vector<std::vector<std::uint32_t>>>;

constexpr std::string_view kFile = R"(
name: "args.proto" package: "t" syntax: "proto3"
message_type { name: "Inner"
  field { name: "number" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "text" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL } }
message_type { name: "List" field { name: "value" number: 1 type: TYPE_UINT32 label: LABEL_REPEATED } }
message_type { name: "Args"
  field { name: "a1" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL }
  field { name: "a2" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL }
  field { name: "a3" number: 3 type: TYPE_INT64 label: LABEL_OPTIONAL }
  field { name: "a4" number: 4 type: TYPE_UINT32 label: LABEL_OPTIONAL }
  field { name: "a5" number: 5 type: TYPE_UINT64 label: LABEL_OPTIONAL }
  field { name: "a6" number: 6 type: TYPE_FLOAT label: LABEL_OPTIONAL }
  field { name: "a7" number: 7 type: TYPE_DOUBLE label: LABEL_OPTIONAL }
  field { name: "a8" number: 8 type: TYPE_STRING label: LABEL_OPTIONAL }
  field { name: "a9" number: 9 type: TYPE_BYTES label: LABEL_OPTIONAL }
  field { name: "a10" number: 10 type: TYPE_INT32 label: LABEL_OPTIONAL proto3_optional: true oneof_index: 0 }
  field { name: "a11" number: 11 type: TYPE_INT64 label: LABEL_REPEATED }
  field { name: "a12" number: 12 type: TYPE_DOUBLE label: LABEL_REPEATED }
  field { name: "a13" number: 13 type: TYPE_STRING label: LABEL_REPEATED }
  field { name: "a14" number: 14 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".t.Inner" }
  field { name: "a15" number: 15 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".t.Inner" }
  field { name: "a16" number: 16 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".t.Args.A16Entry" }
  field { name: "a17" number: 17 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".t.Args.A17Entry" }
  field { name: "a18" number: 18 type: TYPE_MESSAGE label: LABEL_REPEATED type_name: ".t.List" }
  nested_type { name: "A16Entry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
    field { name: "value" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL } }
  nested_type { name: "A17Entry" options { map_entry: true }
    field { name: "key" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
    field { name: "value" number: 2 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".t.Inner" } }
  oneof_decl { name: "_a10" } }
)";

class ProtobufDifference : public testing::Test {
 protected:
  void SetUp() override {
    pb::FileDescriptorProto file;
    ASSERT_TRUE(pb::TextFormat::ParseFromString(std::string(kFile), &file));
    ASSERT_NE(pool_.BuildFile(file), nullptr);
    message_.reset(factory_.GetPrototype(pool_.FindMessageTypeByName("t.Args"))->New());
  }

  std::string serialize() const {
    std::string out;
    pb::io::StringOutputStream stream(&out);
    pb::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);  // Maps in the order of their keys, as std::map has them.
    EXPECT_TRUE(message_->SerializeToCodedStream(&coded));
    coded.Trim();
    return out;
  }

  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_{&pool_};
  std::unique_ptr<pb::Message> message_;
};

class RandomValues {
 public:
  explicit RandomValues(std::uint32_t seed) : engine_(seed) {}

  Args::Storage arguments() {
    Args::Storage a;
    std::get<0>(a) = engine_() % 2 == 0;
    std::get<1>(a) = number<std::int32_t>();
    std::get<2>(a) = number<std::int64_t>();
    std::get<3>(a) = number<std::uint32_t>();
    std::get<4>(a) = number<std::uint64_t>();
    std::get<5>(a) = static_cast<float>(number<std::int32_t>()) / 8;
    std::get<6>(a) = engine_() % 4 == 0 ? -0.0 : static_cast<double>(number<std::int64_t>()) / 3;
    std::get<7>(a) = text();
    std::get<8>(a).resize(engine_() % 5, std::byte{0xff});
    if (engine_() % 2 == 0) std::get<9>(a) = number<std::int32_t>();
    fill(std::get<10>(a), [this] { return number<std::int64_t>(); });
    fill(std::get<11>(a), [this] { return static_cast<double>(number<std::int32_t>()); });
    fill(std::get<12>(a), [this] { return text(); });
    std::get<13>(a) = inner();
    fill(std::get<14>(a), [this] { return inner(); });
    for (std::size_t i = engine_() % 4; i > 0; --i) std::get<15>(a)[text()] = number<std::int32_t>();
    for (std::size_t i = engine_() % 4; i > 0; --i) std::get<16>(a)[number<std::int32_t>()] = inner();
    fill(std::get<17>(a), [this] {
      std::vector<std::uint32_t> list;
      fill(list, [this] { return number<std::uint32_t>(); });
      return list;
    });
    return a;
  }

 private:
  /// Of every length in bits, so that varints of every length occur.
  template <class T>
  T number() {
    const std::uint64_t wide = static_cast<std::uint64_t>(engine_()) << 32 | engine_();
    return static_cast<T>(wide >> engine_() % 65 % 64);
  }
  std::string text() { return std::string(engine_() % 200 % 131, static_cast<char>('a' + engine_() % 26)); }
  Inner inner() { return Inner{engine_() % 3 == 0 ? 0 : number<std::int32_t>(), text()}; }
  template <class T, class Make>
  void fill(std::vector<T>& list, Make make) {
    for (std::size_t i = engine_() % 5; i > 0; --i) list.push_back(make());
  }

  std::mt19937 engine_;
};

std::string encode(const Args::Storage& arguments) {
  return std::apply(
      [](const auto&... a) {
        std::string out(Args::size(a...), '\0');
        Args::write(reinterpret_cast<std::byte*>(out.data()), a...);
        return out;
      },
      arguments);
}

TEST_F(ProtobufDifference, BothWriteTheSameBytesAndReadEachOther) {
  for (std::uint32_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Args::Storage arguments = RandomValues(seed).arguments();
    const std::string ours = encode(arguments);
    ASSERT_TRUE(message_->ParseFromString(ours));
    EXPECT_EQ(message_->GetReflection()->GetString(*message_, message_->GetDescriptor()->FindFieldByNumber(8)),
              std::get<7>(arguments));
    const std::string theirs = serialize();
    ASSERT_EQ(ours, theirs);

    Args::Storage decoded;
    ASSERT_FALSE(Args::read(std::as_bytes(std::span(theirs.data(), theirs.size())), decoded));
    EXPECT_TRUE(decoded == arguments);
  }
}

TEST_F(ProtobufDifference, BothAcceptOrRefuseTheSameMutations) {
  pb::SetLogHandler(nullptr);  // It would report every string that is no UTF-8.
  std::mt19937 engine(7);
  int refused = 0;
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::string wire = encode(RandomValues(seed % 50).arguments());
    for (int i = 0; i < 3 && !wire.empty(); ++i) wire[engine() % wire.size()] = static_cast<char>(engine());
    if (engine() % 3 == 0) wire.resize(engine() % (wire.size() + 1));

    Args::Storage decoded;
    const bool we_accept = !Args::read(std::as_bytes(std::span(wire.data(), wire.size())), decoded);
    const bool they_accept = message_->ParseFromString(wire);
    refused += they_accept ? 0 : 1;
    // libprotobuf also refuses strings that are no UTF-8; what it accepts, we must.
    EXPECT_TRUE(we_accept || !they_accept);
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace kaido::detail
