// Differential: what the codec writes is what libprotobuf writes for the schema that the library derives, and each
// reads the other's bytes. The schema is loaded at run time, so that no generated code stands between the two.
#include <kaido/codec.h>

#include <cstddef>
#include <cstdint>
#include <memory>
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
#include <gtest/gtest.h>

#include "sdk/function/codec_example.pb.h"
#include "sdk/function/codec_zoo.h"

namespace kaido::codec_zoo {
namespace {

namespace pb = google::protobuf;
using namespace std::chrono_literals;
using codec_example::Person;

constexpr std::uint32_t kSeeds = 60;

/// The messages of a signature, as libprotobuf makes them from the derived schema.
class Derived {
 public:
  explicit Derived(const detail::SignatureSchema& signature) {
    pb::FileDescriptorSet set;
    EXPECT_TRUE(set.ParseFromString(detail::schema_descriptor(signature)));
    for (const pb::FileDescriptorProto& file : set.file()) {
      EXPECT_NE(pool_.BuildFile(file), nullptr) << file.DebugString();
    }
  }
  std::unique_ptr<pb::Message> make(const std::string& name) {
    return std::unique_ptr<pb::Message>(factory_.GetPrototype(pool_.FindMessageTypeByName(name))->New());
  }

 private:
  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_{&pool_};
};

std::string serialize(const pb::Message& message) {
  std::string out;
  pb::io::StringOutputStream stream(&out);
  pb::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);  // Maps in the order of their keys, as std::map has them.
  EXPECT_TRUE(message.SerializeToCodedStream(&coded));
  coded.Trim();
  return out;
}

enum class Order { kSame, kAny };

template <class T>
T random_value(Random& random) {
  if constexpr (std::same_as<T, Person>) {
    Person person;
    person.set_name(random.value<std::string>());
    person.set_age(random.value<std::int32_t>());
    if (random.below(3) == 0) *person.add_children() = random_value<Person>(random);
    if (random.below(2) == 0) (*person.mutable_scores())["score"] = random.value<std::int64_t>();
    if (random.below(2) == 0) person.mutable_address();
    return person;
  } else {
    return random.value<T>();
  }
}

/// A function of one T that returns a T: both messages, both directions, over random values.
template <class T, Order kOrder = Order::kSame>
void expect_protobuf() {
  Derived derived(detail::kSignature<T, T>);
  const std::string text = detail::schema_text<T, T>();
  for (std::uint32_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE(text + ", seed " + std::to_string(seed));
    Random random(seed);
    const T value = random_value<T>(random);
    const std::string ours = encode_text(value);
    for (const char* const name : {"Arguments", "Result"}) {
      const std::unique_ptr<pb::Message> message = derived.make(name);
      ASSERT_TRUE(message->ParseFromString(ours));
      message->DiscardUnknownFields();  // The schema must know every byte.
      const std::string theirs = serialize(*message);
      ASSERT_EQ(ours.size(), theirs.size());
      if (kOrder == Order::kSame) {
        ASSERT_EQ(ours, theirs);
      }
      typename detail::Arguments<T>::Storage decoded;
      ASSERT_FALSE(detail::Arguments<T>::read(std::as_bytes(std::span(theirs.data(), theirs.size())), decoded));
      if constexpr (kOrder == Order::kAny) {
        EXPECT_TRUE(std::get<0>(decoded) == value);
      } else {
        EXPECT_EQ(encode_text<T>(std::get<0>(decoded)), ours);
      }
    }
  }
}

template <class... T>
void expect_each() {
  (expect_protobuf<T>(), ...);
}

TEST(ProtobufDifference, Numbers) {
  expect_each<bool, char, signed char, unsigned char, short, unsigned short, int, unsigned, long, unsigned long,
              long long, unsigned long long, float, double, std::byte, char16_t, Colour, Plain>();
}

TEST(ProtobufDifference, Times) {
  expect_each<std::chrono::nanoseconds, std::chrono::milliseconds, std::chrono::hours, std::chrono::duration<double>,
              std::chrono::system_clock::time_point,
              std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds>>();
}

TEST(ProtobufDifference, TextAndBytes) {
  expect_each<std::string, std::string_view, std::filesystem::path, std::vector<std::byte>, std::vector<char>,
              std::vector<std::uint8_t>, std::array<std::byte, 4>, std::span<const std::byte>, std::span<const char>>();
}

TEST(ProtobufDifference, Lists) {
  expect_each<std::vector<int>, std::vector<double>, std::vector<bool>, std::vector<Colour>, std::vector<std::string>,
              std::vector<std::string_view>, std::vector<std::span<const std::byte>>, std::vector<std::vector<int>>>();
  expect_each<std::array<int, 3>, std::array<std::string, 2>, std::deque<float>, std::deque<std::string>,
              std::deque<char>, std::list<std::int64_t>, std::list<Point>, std::vector<std::chrono::seconds>,
              std::list<std::vector<std::byte>>>();
  expect_each<std::span<const double>, std::span<const int>, std::span<const std::string>>();
}

TEST(ProtobufDifference, Sets) {
  expect_each<std::set<int>, std::set<std::string>, std::set<double>, std::set<std::vector<int>>>();
  expect_protobuf<std::unordered_set<std::string>, Order::kAny>();
  expect_protobuf<std::unordered_set<int>, Order::kAny>();
}

TEST(ProtobufDifference, Maps) {
  expect_each<std::map<int, int>, std::map<std::string, double>, std::map<std::uint64_t, Point>,
              std::map<bool, std::string>, std::map<std::string, std::vector<int>>,
              std::map<std::int8_t, std::map<std::string, bool>>, std::map<std::string, std::optional<int>>,
              std::map<std::string_view, std::string_view>>();
  // Keys that protobuf's map syntax does not allow.
  expect_each<std::map<double, int>, std::map<std::pair<int, std::string>, std::string>,
              std::map<std::vector<std::byte>, Point>>();
  expect_protobuf<std::unordered_map<std::string, int>, Order::kAny>();
  expect_protobuf<std::unordered_map<int, Shape>, Order::kAny>();
}

TEST(ProtobufDifference, PresentOrNot) {
  expect_each<std::optional<int>, std::optional<std::string>, std::optional<Point>, std::optional<std::vector<int>>,
              std::optional<std::optional<bool>>, std::vector<std::optional<std::int16_t>>,
              std::optional<std::string_view>>();
  expect_each<std::unique_ptr<int>, std::unique_ptr<Shape>, std::vector<std::unique_ptr<double>>>();
}

TEST(ProtobufDifference, Variants) {
  expect_each<std::variant<int, std::string>, std::variant<std::monostate, Point, std::vector<int>>,
              std::variant<int, int>, std::vector<std::variant<double, Shape>>,
              std::map<int, std::variant<bool, std::map<int, int>>>,
              std::optional<std::variant<std::optional<int>, Empty>>>();
}

TEST(ProtobufDifference, Messages) {
  expect_each<Point, Shape, Empty, Tree, Wide, Mixture, std::vector<Shape>, std::pair<int, std::string>, std::tuple<>,
              std::tuple<int, Point, std::tuple<std::string>>, std::vector<std::pair<int, std::tuple<Point, Point>>>>();
}

TEST(ProtobufDifference, UsersTypes) {
  expect_each<Money, Polygon, std::vector<Money>, std::map<std::string, Polygon>, std::optional<Money>>();
}

TEST(ProtobufDifference, GeneratedMessages) {
  Random random(1);
  expect_protobuf<Person>();
  Derived derived(detail::kSignature<void, std::vector<Person>, std::optional<Person>, std::map<int, Person>>);
  for (std::uint32_t i = 0; i < kSeeds; ++i) {
    const std::vector<Person> people = {random_value<Person>(random), Person()};
    const std::map<int, Person> by_number = {{0, Person()}, {7, random_value<Person>(random)}};
    const std::string ours = encode_text(people, std::optional<Person>(), by_number);
    const auto message = derived.make("Arguments");
    ASSERT_TRUE(message->ParseFromString(ours));
    message->DiscardUnknownFields();
    EXPECT_EQ(serialize(*message), ours);
  }
}

using Mixed =
    detail::Arguments<bool, std::int64_t, double, std::string, std::vector<std::byte>, std::optional<std::int32_t>,
                      std::vector<std::int64_t>, std::vector<float>, Shape, std::vector<Tree>, std::map<int, Shape>,
                      std::variant<int, std::string, Point>, std::unordered_set<std::string>>;

template <class... P>
std::string random_arguments(Random& random, detail::Arguments<P...>) {
  return encode_text<P...>(random.value<P>()...);
}
template <class... P>
Derived derive(detail::Arguments<P...>) {
  return Derived(detail::kSignature<void, P...>);
}

TEST(ProtobufDifference, WhatLibprotobufAcceptsIsAccepted) {
  pb::SetLogHandler(nullptr);  // It would report every string that is no UTF-8.
  Derived derived = derive(Mixed{});
  const auto message = derived.make("Arguments");
  std::mt19937 engine(7);
  int refused = 0;
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed % 50);
    std::string wire = random_arguments(random, Mixed{});
    for (int i = 0; i < 3 && !wire.empty(); ++i) wire[engine() % wire.size()] = static_cast<char>(engine());
    if (engine() % 3 == 0) wire.resize(engine() % (wire.size() + 1));

    Mixed::Storage decoded;
    const auto failure = Mixed::read(std::as_bytes(std::span(wire.data(), wire.size())), decoded);
    const bool they_accept = message->ParseFromString(wire);
    refused += they_accept ? 0 : 1;
    // libprotobuf also refuses strings that are no UTF-8, and does not know that a Colour has 16 bits.
    EXPECT_TRUE(!failure || !they_accept || std::string_view(failure->reason).starts_with("a number does not fit"))
        << failure->reason;
  }
  EXPECT_GT(refused, 100);
}

TEST(ProtobufDifference, BothAllowTheSameDepth) {
  Derived derived(detail::kSignature<void, Tree>);
  const auto message = derived.make("Arguments");
  for (int depth = 98; depth <= 103; ++depth) {
    Tree tree;
    for (int i = 1; i < depth; ++i) {
      auto inner = std::make_unique<Tree>(std::move(tree));
      tree = Tree();
      tree.left = std::move(inner);
    }
    std::string wire;  // {a1 {left {left {…}}}}
    for (int i = 0; i < depth; ++i) {
      std::byte length[10];
      const std::byte* const end = detail::write_varint(length, wire.size());
      wire.insert(0, reinterpret_cast<const char*>(length), static_cast<std::size_t>(end - length));
      wire.insert(0, i == depth - 1 ? "\x0a" : "\x12");
    }
    EXPECT_EQ(try_encode_text(tree), depth <= detail::kMaxMessageDepth ? std::optional(wire) : std::nullopt) << depth;
    detail::Arguments<Tree>::Storage decoded;
    const auto failure = detail::Arguments<Tree>::read(std::as_bytes(std::span(wire.data(), wire.size())), decoded);
    EXPECT_EQ(message->ParseFromString(wire), !failure) << depth;
    EXPECT_EQ(!failure, depth <= detail::kMaxMessageDepth) << depth;
  }
}

}  // namespace
}  // namespace kaido::codec_zoo
