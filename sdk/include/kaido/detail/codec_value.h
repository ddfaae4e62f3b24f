/// How one C++ value becomes one protobuf value: the table of docs/protocol/arguments.md, as code.
///
/// Internal to kaido/codec.h. Two templates carry everything. Value<T> is what follows a tag: a varint, a fixed-width
/// number, or a length and its bytes. Field<T> is a numbered field: usually one Value, none if it is the default; for a
/// container, a packed block or one Value per element. A container where a single Value is needed (a vector of vectors,
/// an optional in a map) is wrapped in a message with one field, as one would write it in a .proto.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ratio>
#include <type_traits>
#include <utility>

#include <kaido/detail/chrono.h>
#include <kaido/detail/codec_schema.h>
#include <kaido/detail/wire_format.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

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

}  // namespace kaido::inline abi0
#pragma GCC visibility pop

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

template <class T>
inline constexpr bool always_false = false;

/// The primary template has no representation. It says so where it is used, so that asking for its schema is harmless.
template <class T>
struct Value {
  static constexpr WireType kType = WireType::kVarint;
  static constexpr TypeSchema schema() { return {}; }

  template <class U = T>
  static constexpr bool refuse() {
    static_assert(
        always_false<U>,
        "Kaido cannot send this type. Supported are numbers, enumerations, strings, byte spans, containers, "
        "std::optional, variant, pair, tuple, unique_ptr, chrono durations and time points, std::filesystem::path, "
        "generated protobuf messages, and structs of these without constructors (docs/protocol/arguments.md has "
        "the table). For any other type specialise kaido::Represent<T>");
    return false;
  }
  static bool is_default(const T&) { return refuse(); }
  static std::size_t size(const T&, NestedSizes*) { return refuse(); }
  static std::byte* write(std::byte* at, const T&, NestedSizes*) { return refuse() ? at : nullptr; }
  static bool read(Decoder&, T&) { return refuse(); }
  static void clear(T&) { refuse(); }
};
template <class T>
struct Field;

template <class T>
constexpr TypeSchema identified_schema() {
  TypeSchema schema = Value<T>::schema();
  if (schema.type == ProtoType::kMessage && !schema.is_generated) schema.identity = identity_of<T>();
  return schema;
}
/// The schema of a Value, one per type and program.
template <class T>
inline constexpr TypeSchema kTypeOf = identified_schema<T>();

template <class T>
concept Represented = requires { typename Represent<T>::type; };

template <class T>
struct IsDuration : std::false_type {};
template <class Rep, class Period>
struct IsDuration<std::chrono::duration<Rep, Period>> : std::true_type {};
template <class T>
struct IsTimePoint : std::false_type {};
template <class Clock, class Duration>
struct IsTimePoint<std::chrono::time_point<Clock, Duration>> : std::true_type {};

/// Sent as varints: bool, integers, enumerations; durations, and time points since their clock's epoch, in nanoseconds.
template <class T>
concept VarintType =
    !Represented<T> && !std::is_const_v<T> &&
    ((std::integral<T> && sizeof(T) <= 8) || std::is_enum_v<T> || IsDuration<T>::value || IsTimePoint<T>::value);

/// Sent as they lie in memory.
template <class T>
concept FixedType = std::same_as<T, float> || std::same_as<T, double>;

/// A run of these is protobuf's `bytes`, not a list of numbers.
template <class T>
concept ByteType = std::same_as<T, std::byte> || std::same_as<T, std::uint8_t> || std::same_as<T, char>;

/// A class that reads and writes itself in protobuf's format: what protoc generates for C++ (codec_protobuf.h).
template <class T>
concept GeneratedType =
    std::is_class_v<T> && !Represented<T> && requires(T& message, const T& other, std::uint8_t* at, const void* data) {
      { other.ByteSizeLong() } -> std::same_as<std::size_t>;
      { other.SerializeWithCachedSizesToArray(at) } -> std::same_as<std::uint8_t*>;
      { message.ParseFromArray(data, 1) } -> std::same_as<bool>;
      message.MergeFrom(other);
    };

/// An enumeration whose every underlying value is a valid one; with any other, an unknown number from the wire would be
/// undefined behaviour.
template <class T>
concept FixedEnum = std::is_enum_v<T> && requires { T{0}; };

template <VarintType T>
[[nodiscard]] constexpr std::uint64_t to_varint(T value) {
  if constexpr (IsTimePoint<T>::value) {
    return to_varint(value.time_since_epoch());
  } else if constexpr (IsDuration<T>::value) {
    // In long double every count of nanoseconds is exact, and what does not fit can be seen before it overflows.
    const long double count = std::chrono::duration<long double, std::nano>(value).count();
    constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
    constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
    if (count >= static_cast<long double>(kMax)) return static_cast<std::uint64_t>(kMax);
    if (count <= static_cast<long double>(kMin)) return static_cast<std::uint64_t>(kMin);
    if (count != count) return 0;  // Not a number.
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(count));
  } else if constexpr (std::is_enum_v<T>) {
    return to_varint(static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::same_as<T, char>) {
    return static_cast<std::uint8_t>(value);  // Whether char is signed depends on the processor.
  } else if constexpr (std::is_signed_v<T>) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
  } else {
    return static_cast<std::uint64_t>(value);
  }
}

/// False if the number does not fit a type narrower than any of protobuf's.
template <VarintType T>
[[nodiscard]] constexpr bool from_varint(std::uint64_t number, T& out) {
  if constexpr (IsTimePoint<T>::value) {
    typename T::duration since_epoch{};
    if (!from_varint(number, since_epoch)) return false;
    out = T(since_epoch);
    return true;
  } else if constexpr (IsDuration<T>::value) {
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
  } else if constexpr (std::same_as<T, char>) {
    std::uint8_t byte = 0;
    if (!from_varint(number, byte)) return false;
    out = static_cast<char>(byte);
    return true;
  } else {
    // A sender may have declared a wider type; what does not fit is refused, where libprotobuf drops the upper half.
    using Wide = std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>;
    const auto wide = static_cast<Wide>(number);
    out = static_cast<T>(wide);
    return static_cast<Wide>(out) == wide;
  }
}

template <VarintType T>
constexpr ProtoType varint_proto() {
  if constexpr (IsDuration<T>::value || IsTimePoint<T>::value) {
    return ProtoType::kInt64;
  } else if constexpr (std::is_enum_v<T>) {
    return varint_proto<std::underlying_type_t<T>>();
  } else if constexpr (std::same_as<T, bool>) {
    return ProtoType::kBool;
  } else if constexpr (std::is_signed_v<T> && !std::same_as<T, char>) {
    return sizeof(T) == 8 ? ProtoType::kInt64 : ProtoType::kInt32;
  } else {
    return sizeof(T) == 8 ? ProtoType::kUint64 : ProtoType::kUint32;
  }
}

template <class T>
struct IsSteady : std::false_type {};
template <class Duration>
struct IsSteady<std::chrono::time_point<std::chrono::steady_clock, Duration>> : std::true_type {};

template <VarintType T>
struct Value<T> {
  static_assert(!std::is_enum_v<T> || FixedEnum<T>,
                "Kaido sends only enumerations with a fixed underlying type: write `enum Name : int` or `enum class`");
  static_assert(
      !IsSteady<T>::value,
      "A time of std::chrono::steady_clock means nothing on another host: send a std::chrono::duration from now, or "
      "a time of std::chrono::system_clock");
  static constexpr WireType kType = WireType::kVarint;
  static constexpr TypeSchema schema() { return {.type = varint_proto<T>()}; }
  static bool is_default(const T& value) { return to_varint(value) == 0; }
  static std::size_t size(const T& value, NestedSizes*) { return varint_size(to_varint(value)); }
  static std::byte* write(std::byte* at, const T& value, NestedSizes*) { return write_varint(at, to_varint(value)); }
  static bool read(Decoder& in, T& value) {
    std::uint64_t number = 0;
    if (!in.read_varint(number)) return false;
    return from_varint(number, value) || in.fail("a number does not fit the parameter's type");
  }
  static void clear(T& value) { value = T{}; }
};

template <FixedType T>
struct Value<T> {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  static constexpr WireType kType = sizeof(T) == 4 ? WireType::kFixed32 : WireType::kFixed64;
  static constexpr TypeSchema schema() { return {.type = sizeof(T) == 4 ? ProtoType::kFloat : ProtoType::kDouble}; }
  // By bits, as libprotobuf: -0.0 is not the default.
  static bool is_default(const T& value) { return std::bit_cast<Bits>(value) == 0; }
  static constexpr std::size_t size(const T&, NestedSizes*) { return sizeof(T); }
  static std::byte* write(std::byte* at, const T& value, NestedSizes*) { return write_bytes(at, &value, sizeof(T)); }
  static bool read(Decoder& in, T& value) { return in.read_fixed(&value, sizeof(T)); }
  static void clear(T& value) { value = T{}; }
};

/// Whether a repeated field of it is sent packed: all numbers, and what is represented by one.
template <class T>
inline constexpr bool kPackable = Value<T>::kType != WireType::kLength;

/// A field that holds at most one value: left out when it is the default, as in proto3.
template <class T>
struct Field {
  struct State {};
  static constexpr FieldSchema schema() { return {FieldLabel::kSingle, &kTypeOf<T>}; }

  template <std::uint32_t N>
  static std::size_t size(const T& value, NestedSizes* sizes) {
    if (Value<T>::is_default(value)) return 0;
    return varint_size(tag_of(N, Value<T>::kType)) + Value<T>::size(value, sizes);
  }
  template <std::uint32_t N>
  static std::byte* write(std::byte* at, const T& value, NestedSizes* sizes) {
    if (Value<T>::is_default(value)) return at;
    return Value<T>::write(write_varint(at, tag_of(N, Value<T>::kType)), value, sizes);
  }
  static bool read(Decoder& in, std::uint32_t number, WireType type, T& value, State&) {
    return type == Value<T>::kType ? Value<T>::read(in, value) : in.skip(number, type);
  }
  static void clear(T& value) { Value<T>::clear(value); }
};

/// A new object, cleared to protobuf's defaults.
template <class T>
[[nodiscard]] T make_cleared() {
  T value{};
  Field<T>::clear(value);
  return value;
}

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
