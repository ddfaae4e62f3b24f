/// Arguments and results as protobuf wire format, straight from the C++ types at compile time.
///
/// The parameters of `f(std::string, std::vector<double>)` are the message `{string a1 = 1; repeated double a2 = 2;}`,
/// a result of type T is `{T value = 1;}`. docs/protocol/arguments.md has the table of types. A type that is not
/// supported fails to compile with a sentence that says what to do; kaido::Represent teaches Kaido a type of yours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>

#include <kaido/detail/codec_container.h>
#include <kaido/detail/codec_list.h>
#include <kaido/detail/codec_message.h>
#include <kaido/detail/codec_protobuf.h>
#include <kaido/detail/codec_schema.h>
#include <kaido/detail/codec_value.h>
#include <kaido/detail/codec_variant.h>
#include <kaido/detail/wire_format.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// FNV-1a over 64 bits (Fowler, Noll, Vo), then SplitMix64's finish so that short names differ in all bits. Part of the
/// protocol: two programs find each other's functions by it.
class Hash64 {
 public:
  constexpr void put(std::string_view text) {
    for (const char c : text) {
      state_ ^= static_cast<std::uint8_t>(c);
      state_ *= 0x100000001b3ULL;
    }
  }
  [[nodiscard]] constexpr std::uint64_t value() const {
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

[[nodiscard]] constexpr std::uint64_t hash64(std::string_view text) {
  Hash64 hash;
  hash.put(text);
  return hash.value();
}

class TextSink {
 public:
  void put(std::string_view text) { text_ += text; }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// What a parameter is received into: itself, except where a view needs something to stand on.
template <class P>
struct Received {
  using type = P;
};
template <class E>
  requires(!ByteType<E>)
struct Received<std::span<const E>> {
  using type = SpanArgument<E>;
};

/// In a parameter list, a T that callers may leave out: sent whenever it is given, also when it is zero or empty, and
/// received as an std::optional that says whether it came. On the wire and in the schema it is what std::optional<T>
/// is. Arguments<int, Defaulted<T>>::write(at, 5, value) takes the value by reference and copies nothing.
template <class T>
class Defaulted {
 public:
  Defaulted(const T& value) : value_(&value) {}  // NOLINT(google-explicit-constructor): stands for the value
  [[nodiscard]] const T& operator*() const { return *value_; }

 private:
  const T* value_;
};
template <class T>
struct Received<Defaulted<T>> {
  using type = std::optional<typename Received<T>::type>;
};
template <class T>
struct Field<Defaulted<T>> {
  static constexpr FieldSchema schema() { return {FieldLabel::kOptional, &kTypeOf<T>}; }
  template <std::uint32_t N>
  static std::size_t size(const Defaulted<T>& value, NestedSizes* sizes) {
    return varint_size(tag_of(N, Value<T>::kType)) + Value<T>::size(*value, sizes);
  }
  template <std::uint32_t N>
  static std::byte* write(std::byte* at, const Defaulted<T>& value, NestedSizes* sizes) {
    return Value<T>::write(write_varint(at, tag_of(N, Value<T>::kType)), *value, sizes);
  }
};

/// The parameter list P... (without references and const) as a message.
template <class... P>
struct Arguments {
  using Storage = std::tuple<typename Received<P>::type...>;

  /// Whether anything in it contains itself, and can so be nested more deeply than a receiver reads.
  static constexpr bool kIsRecursive = (is_recursive(Field<P>::schema()) || ...);

  /// `allocate(size)` makes the room. How much was written, which is `size`; nothing: it is nested more deeply than
  /// kMaxMessageDepth, and no room was asked for. Measures and writes every value once, or as often as messages of its
  /// type stand in one another.
  template <class Allocate>
  static std::optional<std::size_t> encode(Allocate&& allocate, const P&... values) {
    if constexpr (kIsRecursive) {
      NestedSizes sizes;
      const std::size_t size = Message<P...>::size(&sizes, values...);
      if (sizes.is_too_deep()) return std::nullopt;
      return write(allocate(size), &sizes, values...);
    } else {
      return write(allocate(Message<P...>::size(nullptr, values...)), nullptr, values...);
    }
  }

  /// Decodes into freshly constructed storage. Views in it point into `bytes`.
  [[nodiscard]] static std::optional<DecodeFailure> read(std::span<const std::byte> bytes, Storage& storage) {
    Decoder in(bytes);
    const bool good = std::apply(
        [&in]<class... S>(S&... fields) {
          (clear(fields), ...);
          return Message<S...>::read(in, fields...);
        },
        storage);
    if (good) return std::nullopt;
    return in.failure();
  }

 private:
  static std::size_t write(std::byte* at, NestedSizes* sizes, const P&... values) {
    return static_cast<std::size_t>(Message<P...>::write(at, sizes, values...) - at);
  }
  template <class S>
  static void clear(S& field) {
    Field<S>::clear(field);
  }
};

template <class... P>
inline constexpr FieldSchema kParameters[sizeof...(P) + 1] = {Field<P>::schema()..., FieldSchema{}};
template <class R>
inline constexpr FieldSchema kFieldOf = Field<R>::schema();

template <class R>
constexpr std::span<const FieldSchema> result_schema() {
  if constexpr (std::is_void_v<R>) {
    return {};
  } else {
    return {&kFieldOf<R>, 1};
  }
}

/// The schema of `R f(P...)` as tables (codec_schema.h); schema_descriptor(kSignature<R, P...>, names) is its protobuf
/// form.
template <class R, class... P>
inline constexpr SignatureSchema kSignature{{kParameters<P...>, sizeof...(P)}, result_schema<R>()};

/// The hash of the canonical text (describe() in codec_schema.h): two programs that agree on it agree on every byte.
/// The names of parameters do not count.
template <class R, class... P>
[[nodiscard]] constexpr std::uint64_t fingerprint() {
  Hash64 hash;
  describe(kSignature<R, P...>, hash);
  return hash.value();
}

[[nodiscard]] inline std::string schema_text(const SignatureSchema& signature) {
  TextSink text;
  describe(signature, text);
  return text.take();
}
template <class R, class... P>
[[nodiscard]] std::string schema_text() {
  return schema_text(kSignature<R, P...>);
}

/// "word_count: parameter 2 is malformed at byte 17: a varint is cut off".
[[nodiscard]] inline std::string explain(std::string_view function, const DecodeFailure& failure,
                                         std::string_view what) {
  std::string text(function);
  text += ": ";
  text += what;
  if (failure.field != 0) text += " " + std::to_string(failure.field);
  text += " malformed at byte " + std::to_string(failure.offset) + ": ";
  text += failure.reason;
  return text;
}

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
