/// How one C++ value becomes one protobuf value: the table of docs/protocol/arguments.md, as code.
///
/// Internal to kaido/codec.h. Two templates carry everything. Value<T> is what follows a tag: a varint, a fixed-width
/// number, or a length and its bytes. Field<T> is a numbered field: usually one Value, none if it is the default; for a
/// container, a packed block or one Value per element. A container where a single Value is needed (a vector of vectors,
/// an optional in a map) is wrapped in a message with one field, as one would write it in a .proto.
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <kaido/detail/wire_format.h>

namespace kaido {

/// Teaches Kaido a type of yours by naming one that it already knows. Specialise it beside the type:
///
///     template <>
///     struct kaido::Represent<Money> {
///       using type = std::int64_t;                                          // what goes over the wire
///       static type to(const Money& money) { return money.cents(); }
///       static Money from(type cents) { return Money::from_cents(cents); }  // may throw: the argument is then refused
///     };
template <class T>
struct Represent;

}  // namespace kaido

namespace kaido::detail {

template <class T>
inline constexpr bool always_false = false;

template <class T>
struct Value {
  static_assert(always_false<T>,
                "Kaido cannot send this type. Supported are numbers, enumerations, strings, byte spans, std::vector, array, "
                "map, unordered_map, optional, pair, tuple, chrono durations and structs of these without constructors "
                "(docs/protocol/arguments.md has the table). For any other type specialise kaido::Represent<T>");
  static constexpr WireType kType = WireType::kVarint;
};
template <class T>
struct Field;

template <class T>
concept Represented = requires { typename Represent<T>::type; };

template <class T>
struct IsDuration : std::false_type {};
template <class Rep, class Period>
struct IsDuration<std::chrono::duration<Rep, Period>> : std::true_type {};

/// Sent as varints: bool, integers, enumerations, and durations in nanoseconds.
template <class T>
concept VarintType = !Represented<T> && (std::integral<T> || std::is_enum_v<T> || IsDuration<T>::value);

/// Sent as they lie in memory.
template <class T>
concept FixedType = std::same_as<T, float> || std::same_as<T, double>;

/// May be sent packed in a repeated field.
template <class T>
concept PackableType = VarintType<T> || FixedType<T>;

/// A run of these is protobuf's `bytes`, not a list of numbers.
template <class T>
concept ByteType = std::same_as<T, std::byte> || std::same_as<T, std::uint8_t> || std::same_as<T, char>;

/// An enumeration whose every underlying value is a valid one; with any other, an unknown number from the wire would be
/// undefined behaviour.
template <class T>
concept FixedEnum = std::is_enum_v<T> && requires { T{0}; };

template <VarintType T>
[[nodiscard]] constexpr std::uint64_t to_varint(T value) {
  if constexpr (IsDuration<T>::value) {
    using std::chrono::nanoseconds;
    // In long double every count of nanoseconds is exact, and what does not fit can be seen before it overflows.
    const long double count = std::chrono::duration<long double, std::nano>(value).count();
    constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
    constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
    if (count >= static_cast<long double>(kMax)) return static_cast<std::uint64_t>(kMax);
    if (count <= static_cast<long double>(kMin)) return static_cast<std::uint64_t>(kMin);
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(count));
  } else if constexpr (std::is_enum_v<T>) {
    static_assert(FixedEnum<T>,
                  "Kaido sends only enumerations with a fixed underlying type: write `enum Name : int` or `enum class`");
    return to_varint(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  } else {
    return static_cast<std::uint64_t>(value);
  }
}

/// False if the number does not fit a type narrower than any of protobuf's.
template <VarintType T>
[[nodiscard]] constexpr bool from_varint(std::uint64_t number, T& out) {
  if constexpr (IsDuration<T>::value) {
    const auto nanoseconds = std::chrono::nanoseconds(static_cast<std::int64_t>(number));
    if constexpr (std::is_floating_point_v<typename T::rep>) {
      out = std::chrono::duration_cast<T>(nanoseconds);
      return true;
    } else {
      using Wide = std::chrono::duration<std::int64_t, typename T::period>;
      static_assert(std::ratio_greater_equal_v<typename T::period, std::nano>,
                    "Kaido sends durations in nanoseconds: a finer period would lose digits");
      const Wide wide = std::chrono::duration_cast<Wide>(nanoseconds);
      if (!std::in_range<typename T::rep>(wide.count())) return false;
      out = T(static_cast<typename T::rep>(wide.count()));
      return true;
    }
  } else if constexpr (std::is_enum_v<T>) {
    std::underlying_type_t<T> plain{};
    if (!from_varint(number, plain)) return false;
    out = static_cast<T>(plain);
    return true;
  } else if constexpr (std::same_as<T, bool>) {
    out = number != 0;
    return true;
  } else if constexpr (sizeof(T) >= 4) {
    // A wider number loses its upper half, as in libprotobuf.
    out = static_cast<T>(number);
    return true;
  } else {
    using Proto = std::conditional_t<std::is_signed_v<T>, std::int32_t, std::uint32_t>;
    const auto wide = static_cast<Proto>(number);
    out = static_cast<T>(wide);
    return static_cast<Proto>(out) == wide;
  }
}

template <VarintType T>
constexpr std::string_view varint_name() {
  if constexpr (IsDuration<T>::value) {
    return "int64";
  } else if constexpr (std::is_enum_v<T>) {
    return varint_name<std::underlying_type_t<T>>();
  } else if constexpr (std::same_as<T, bool>) {
    return "bool";
  } else if constexpr (std::is_signed_v<T>) {
    return sizeof(T) == 8 ? "int64" : "int32";
  } else {
    return sizeof(T) == 8 ? "uint64" : "uint32";
  }
}

template <VarintType T>
struct Value<T> {
  static constexpr WireType kType = WireType::kVarint;
  static bool is_default(const T& value) { return to_varint(value) == 0; }
  static std::size_t size(const T& value) { return varint_size(to_varint(value)); }
  static std::byte* write(std::byte* at, const T& value) { return write_varint(at, to_varint(value)); }
  static bool read(Decoder& in, T& value) {
    std::uint64_t number = 0;
    if (!in.read_varint(number)) return false;
    return from_varint(number, value) || in.fail("a number does not fit the parameter's type");
  }
  static void clear(T& value) { value = T{}; }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put(varint_name<T>());
  }
};

template <FixedType T>
struct Value<T> {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  static constexpr WireType kType = sizeof(T) == 4 ? WireType::kFixed32 : WireType::kFixed64;
  // By bits, as libprotobuf: -0.0 is not the default.
  static bool is_default(const T& value) { return std::bit_cast<Bits>(value) == 0; }
  static constexpr std::size_t size(const T&) { return sizeof(T); }
  static std::byte* write(std::byte* at, const T& value) { return write_bytes(at, &value, sizeof(T)); }
  static bool read(Decoder& in, T& value) { return in.read_fixed(&value, sizeof(T)); }
  static void clear(T& value) { value = T{}; }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put(sizeof(T) == 4 ? "float" : "double");
  }
};

/// What std::string, views and byte containers share: a length and bytes.
template <class T>
struct BlockValue {
  static constexpr WireType kType = WireType::kLength;
  static bool is_default(const T& value) { return value.size() == 0; }
  static std::size_t size(const T& value) { return varint_size(value.size()) + value.size(); }
  static std::byte* write(std::byte* at, const T& value) {
    return write_bytes(write_varint(at, value.size()), value.data(), value.size());
  }
  static void clear(T& value) { value = T{}; }
};

template <>
struct Value<std::string> : BlockValue<std::string> {
  static bool read(Decoder& in, std::string& value) {
    std::span<const std::byte> block;
    if (!in.read_block(block)) return false;
    value.assign(reinterpret_cast<const char*>(block.data()), block.size());
    return true;
  }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put("string");
  }
};

/// A view into the received bytes.
template <>
struct Value<std::string_view> : BlockValue<std::string_view> {
  static bool read(Decoder& in, std::string_view& value) {
    std::span<const std::byte> block;
    if (!in.read_block(block)) return false;
    value = {reinterpret_cast<const char*>(block.data()), block.size()};
    return true;
  }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put("string");
  }
};

template <ByteType E>
struct Value<std::vector<E>> : BlockValue<std::vector<E>> {
  static bool read(Decoder& in, std::vector<E>& value) {
    std::span<const std::byte> block;
    if (!in.read_block(block)) return false;
    const E* const first = reinterpret_cast<const E*>(block.data());
    value.assign(first, first + block.size());
    return true;
  }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put("bytes");
  }
};

/// A view into the received bytes.
template <ByteType E>
struct Value<std::span<const E>> : BlockValue<std::span<const E>> {
  static bool read(Decoder& in, std::span<const E>& value) {
    std::span<const std::byte> block;
    if (!in.read_block(block)) return false;
    value = {reinterpret_cast<const E*>(block.data()), block.size()};
    return true;
  }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put("bytes");
  }
};

template <ByteType E, std::size_t N>
struct Value<std::array<E, N>> : BlockValue<std::array<E, N>> {
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
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put("bytes");
  }
};

/// A user's type, through the type that represents it.
template <Represented T>
struct Value<T> {
  using Wire = typename Represent<T>::type;
  static constexpr WireType kType = Value<Wire>::kType;
  static bool is_default(const T& value) { return Value<Wire>::is_default(Represent<T>::to(value)); }
  static std::size_t size(const T& value) { return Value<Wire>::size(Represent<T>::to(value)); }
  static std::byte* write(std::byte* at, const T& value) { return Value<Wire>::write(at, Represent<T>::to(value)); }
  static bool read(Decoder& in, T& value) {
    Wire wire{};
    if (!Value<Wire>::read(in, wire)) return false;
    try {
      value = Represent<T>::from(std::move(wire));
    } catch (...) {
      return in.fail("kaido::Represent refused the value");
    }
    return true;
  }
  static void clear(T& value) { value = T{}; }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    Value<Wire>::describe(out);
  }
};

/// A field that holds at most one value: left out when it is the default, as in proto3.
template <class T>
struct Field {
  struct State {};

  template <std::uint32_t N>
  static std::size_t size(const T& value) {
    if (Value<T>::is_default(value)) return 0;
    return varint_size(tag_of(N, Value<T>::kType)) + Value<T>::size(value);
  }
  template <std::uint32_t N>
  static std::byte* write(std::byte* at, const T& value) {
    if (Value<T>::is_default(value)) return at;
    return Value<T>::write(write_varint(at, tag_of(N, Value<T>::kType)), value);
  }
  static bool read(Decoder& in, std::uint32_t number, WireType type, T& value, State&) {
    return type == Value<T>::kType ? Value<T>::read(in, value) : in.skip(number, type);
  }
  static void clear(T& value) { Value<T>::clear(value); }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    Value<T>::describe(out);
  }
};

}  // namespace kaido::detail
