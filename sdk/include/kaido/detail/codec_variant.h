/// std::variant as a message with a oneof: its alternatives as fields 1, 2, 3…, of which the one it holds is written.
///
/// Internal to kaido/codec.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

#include <kaido/detail/codec_container.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

template <class... A>
struct Value<std::variant<A...>> : NestedValue<Value<std::variant<A...>>, std::variant<A...>> {
  using Variant = std::variant<A...>;
  using Indexes = std::index_sequence_for<A...>;

  static constexpr FieldSchema kFields[sizeof...(A)] = {FieldSchema{FieldLabel::kOneof, &kTypeOf<A>}...};
  static constexpr TypeSchema schema() {
    return {.type = ProtoType::kMessage, .fields = kFields, .count = sizeof...(A)};
  }

  // The alternative that it holds is always written, also a zero: it says which one it is.
  static bool is_default(const Variant&) { return false; }
  static std::size_t body_size(const Variant& value, NestedSizes* sizes) { return held_size(value, sizes, Indexes{}); }
  static std::byte* write_body(std::byte* at, const Variant& value, NestedSizes* sizes) {
    return write_held(at, value, sizes, Indexes{});
  }
  static bool read(Decoder& in, Variant& value) {
    return in.read_nested([&] {
      while (!in.done()) {
        std::uint32_t number = 0;
        WireType type{};
        if (!in.read_tag(number, type) || !read_alternative(in, number, type, value, Indexes{})) return false;
      }
      return true;
    });
  }
  /// To the first alternative, which is also what a oneof of which nothing is set becomes.
  static void clear(Variant& value) { emplace<0>(value); }

 private:
  template <std::size_t I>
  using Alternative = std::variant_alternative_t<I, Variant>;

  template <std::size_t I>
  static Alternative<I>& emplace(Variant& value) {
    Alternative<I>& held = value.template emplace<I>();
    Field<Alternative<I>>::clear(held);
    return held;
  }
  template <std::size_t... I>
  static std::size_t held_size(const Variant& value, NestedSizes* sizes, std::index_sequence<I...>) {
    std::size_t total = 0;
    static_cast<void>(((value.index() == I && (total = varint_size(tag_of(I + 1, Value<Alternative<I>>::kType)) +
                                                       Value<Alternative<I>>::size(*std::get_if<I>(&value), sizes),
                                               true)) ||
                       ...));
    return total;
  }
  template <std::size_t... I>
  static std::byte* write_held(std::byte* at, const Variant& value, NestedSizes* sizes, std::index_sequence<I...>) {
    static_cast<void>(((value.index() == I && (at = Value<Alternative<I>>::write(
                                                   write_varint(at, tag_of(I + 1, Value<Alternative<I>>::kType)),
                                                   *std::get_if<I>(&value), sizes),
                                               true)) ||
                       ...));
    return at;
  }
  template <std::size_t... I>
  static bool read_alternative(Decoder& in, std::uint32_t number, WireType type, Variant& value,
                               std::index_sequence<I...>) {
    bool good = true;
    const bool known =
        ((number == I + 1 && type == Value<Alternative<I>>::kType && (good = read_held<I>(in, value), true)) || ...);
    return known ? good : in.skip(number, type);
  }
  /// The last alternative counts; a message that comes twice is merged, as everywhere.
  template <std::size_t I>
  static bool read_held(Decoder& in, Variant& value) {
    Alternative<I>* held = std::get_if<I>(&value);
    return Value<Alternative<I>>::read(in, held != nullptr ? *held : emplace<I>(value));
  }
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
