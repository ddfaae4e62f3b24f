/// Values that are a length and bytes: text, byte blocks, paths; and users' types through what represents them.
///
/// Internal to kaido/codec.h.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kaido/detail/codec_value.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

template <class T>
struct BlockValue {
  static constexpr WireType kType = WireType::kLength;
  static bool is_default(const T& value) { return value.size() == 0; }
  static std::size_t size(const T& value, NestedSizes*) { return varint_size(value.size()) + value.size(); }
  static std::byte* write(std::byte* at, const T& value, NestedSizes*) {
    return write_bytes(write_varint(at, value.size()), value.data(), value.size());
  }
  static void clear(T& value) {
    if constexpr (requires { value.clear(); }) {
      value.clear();
    } else {
      value = T{};
    }
  }
};

template <class A>
struct Value<std::basic_string<char, std::char_traits<char>, A>>
    : BlockValue<std::basic_string<char, std::char_traits<char>, A>> {
  static constexpr TypeSchema schema() { return {.type = ProtoType::kString}; }
  static bool read(Decoder& in, std::basic_string<char, std::char_traits<char>, A>& value) {
    std::span<const std::byte> block;
    if (!in.read_block(block)) return false;
    const char* const text = reinterpret_cast<const char*>(block.data());
    if (block.size() > value.capacity()) {
      value = std::basic_string<char, std::char_traits<char>, A>(text, block.size(), value.get_allocator());
    } else {
      value.assign(text, block.size());
    }
    return true;
  }
};

/// A view into the received bytes.
template <>
struct Value<std::string_view> : BlockValue<std::string_view> {
  static constexpr TypeSchema schema() { return {.type = ProtoType::kString, .is_view = true}; }
  static bool read(Decoder& in, std::string_view& value) {
    std::span<const std::byte> block;
    if (!in.read_block(block)) return false;
    value = {reinterpret_cast<const char*>(block.data()), block.size()};
    return true;
  }
};

template <ByteType E, class A>
struct Value<std::vector<E, A>> : BlockValue<std::vector<E, A>> {
  static constexpr TypeSchema schema() { return {.type = ProtoType::kBytes}; }
  static bool read(Decoder& in, std::vector<E, A>& value) {
    std::span<const std::byte> block;
    if (!in.read_block(block)) return false;
    const E* const first = reinterpret_cast<const E*>(block.data());
    value.assign(first, first + block.size());
    return true;
  }
};

/// A view into the received bytes.
template <ByteType E>
struct Value<std::span<const E>> : BlockValue<std::span<const E>> {
  static constexpr TypeSchema schema() { return {.type = ProtoType::kBytes, .is_view = true}; }
  static bool read(Decoder& in, std::span<const E>& value) {
    std::span<const std::byte> block;
    if (!in.read_block(block)) return false;
    value = {reinterpret_cast<const E*>(block.data()), block.size()};
    return true;
  }
};

template <ByteType E, std::size_t N>
struct Value<std::array<E, N>> : BlockValue<std::array<E, N>> {
  static constexpr TypeSchema schema() { return {.type = ProtoType::kBytes}; }
  // Its size is fixed, so it is never "empty"; all zero is the default.
  static bool is_default(const std::array<E, N>& value) { return value == std::array<E, N>{}; }
  static bool read(Decoder& in, std::array<E, N>& value) {
    std::span<const std::byte> block;
    if (!in.read_block(block)) return false;
    if (block.size() > N) return in.fail("more bytes than the array holds");
    value = {};
    write_bytes(reinterpret_cast<std::byte*>(value.data()), block.data(), block.size());
    return true;
  }
};

/// std::filesystem::path, known by its members: <filesystem> would cost every user of Kaido its compile time.
template <class T>
concept PathType = !Represented<T> && requires(const T& path) {
  T::preferred_separator;
  { path.native() } -> std::same_as<const std::string&>;
};
template <PathType T>
struct Value<T> {
  static constexpr WireType kType = WireType::kLength;
  static constexpr TypeSchema schema() { return {.type = ProtoType::kString}; }
  static bool is_default(const T& value) { return value.native().empty(); }
  static std::size_t size(const T& value, NestedSizes* sizes) {
    return Value<std::string>::size(value.native(), sizes);
  }
  static std::byte* write(std::byte* at, const T& value, NestedSizes* sizes) {
    return Value<std::string>::write(at, value.native(), sizes);
  }
  static bool read(Decoder& in, T& value) {
    std::string text;
    if (!Value<std::string>::read(in, text)) return false;
    value = std::move(text);
    return true;
  }
  static void clear(T& value) { value.clear(); }
};

/// A user's type, through the type that represents it.
template <Represented T>
struct Value<T> {
  using Wire = typename Represent<T>::type;
  static constexpr WireType kType = Value<Wire>::kType;
  static constexpr TypeSchema schema() { return Value<Wire>::schema(); }
  static bool is_default(const T& value) { return Value<Wire>::is_default(Represent<T>::to(value)); }
  static std::size_t size(const T& value, NestedSizes* sizes) {
    return Value<Wire>::size(Represent<T>::to(value), sizes);
  }
  static std::byte* write(std::byte* at, const T& value, NestedSizes* sizes) {
    return Value<Wire>::write(at, Represent<T>::to(value), sizes);
  }
  static bool read(Decoder& in, T& value) {
    Wire wire = make_cleared<Wire>();
    if (!Value<Wire>::read(in, wire)) return false;
    try {
      value = Represent<T>::from(std::move(wire));
    } catch (...) {
      return in.fail("kaido::Represent refused the value");
    }
    return true;
  }
  /// What was left out is what zero or the empty value represents; where that represents nothing, a new object.
  static void clear(T& value) {
    try {
      value = Represent<T>::from(make_cleared<Wire>());
    } catch (...) {
      value = T{};
    }
  }
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
