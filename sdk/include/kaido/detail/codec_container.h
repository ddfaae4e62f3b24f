/// Maps as protobuf maps, std::optional and std::unique_ptr as explicitly present fields; and the wrapping of a
/// container where a single value is needed.
///
/// Internal to kaido/codec.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <kaido/detail/codec_list.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Present or not, whatever the value: proto3's `optional`. P is an std::optional<T> or std::unique_ptr<T>.
template <class P, class T>
struct PresentField {
  struct State {};
  static constexpr FieldSchema schema() { return {FieldLabel::kOptional, &kTypeOf<T>}; }

  template <std::uint32_t N>
  static std::size_t size(const P& value, NestedSizes* sizes) {
    return value ? varint_size(tag_of(N, Value<T>::kType)) + Value<T>::size(*value, sizes) : 0;
  }
  template <std::uint32_t N>
  static std::byte* write(std::byte* at, const P& value, NestedSizes* sizes) {
    return value ? Value<T>::write(write_varint(at, tag_of(N, Value<T>::kType)), *value, sizes) : at;
  }
  static bool read(Decoder& in, std::uint32_t number, WireType type, P& value, State&) {
    if (type != Value<T>::kType) return in.skip(number, type);
    if (!value) make(value);
    return Value<T>::read(in, *value);
  }
  static void clear(P& value) { value.reset(); }

 private:
  static void make(std::optional<T>& value) { Field<T>::clear(value.emplace()); }
  static void make(std::unique_ptr<T>& value) {
    value = std::make_unique<T>();
    Field<T>::clear(*value);
  }
};

template <class T>
struct Field<std::optional<T>> : PresentField<std::optional<T>, T> {};
template <class T>
struct Field<std::unique_ptr<T>> : PresentField<std::unique_ptr<T>, T> {};

/// Protobuf's map: repeated entries {key = 1, value = 2}, both always written. For keys that protobuf's own map syntax
/// does not allow (floating point, messages), the bytes are the same and the schema is the repeated message.
template <MapType Map>
struct Field<Map> {
  using K = typename Map::key_type;
  using V = typename Map::mapped_type;
  struct State {};
  static constexpr FieldSchema schema() { return {FieldLabel::kMap, &kTypeOf<V>, &kTypeOf<K>}; }

  using Entry = NestedValue<Field, typename Map::value_type>;

  template <std::uint32_t N>
  static std::size_t size(const Map& map, NestedSizes* sizes) {
    std::size_t total = map.size() * varint_size(tag_of(N, WireType::kLength));
    for (const auto& entry : map) total += Entry::size(entry, sizes);
    return total;
  }
  template <std::uint32_t N>
  static std::byte* write(std::byte* at, const Map& map, NestedSizes* sizes) {
    for (const auto& entry : map) {
      at = Entry::write(write_varint(at, tag_of(N, WireType::kLength)), entry, sizes);
    }
    return at;
  }
  static std::size_t body_size(const typename Map::value_type& entry, NestedSizes* sizes) {
    const auto& [key, value] = entry;
    const std::size_t key_size = Value<K>::size(key, sizes);
    return 2 + key_size + Value<V>::size(value, sizes);
  }
  static std::byte* write_body(std::byte* at, const typename Map::value_type& entry, NestedSizes* sizes) {
    const auto& [key, value] = entry;
    at = Value<K>::write(write_varint(at, tag_of(1, Value<K>::kType)), key, sizes);
    return Value<V>::write(write_varint(at, tag_of(2, Value<V>::kType)), value, sizes);
  }
  static bool read(Decoder& in, std::uint32_t number, WireType type, Map& map, State&) {
    if (type != WireType::kLength) return in.skip(number, type);
    K key = make_cleared<K>();
    V value = make_cleared<V>();
    const bool good = in.read_nested([&] { return read_entry(in, key, value); });
    if (!good) return false;
    if constexpr (requires { map.insert_or_assign(map.end(), std::move(key), std::move(value)); }) {
      map.insert_or_assign(map.end(), std::move(key), std::move(value));  // A hint: ordered maps are sent in order.
    } else {
      map.insert_or_assign(std::move(key), std::move(value));
    }
    return true;
  }
  static void clear(Map& map) { map.clear(); }

 private:
  static bool read_entry(Decoder& in, K& key, V& value) {
    while (!in.done()) {
      std::uint32_t number = 0;
      WireType type{};
      if (!in.read_tag(number, type)) return false;
      bool good = true;
      if (number == 1 && type == Value<K>::kType) {
        good = Value<K>::read(in, key);
      } else if (number == 2 && type == Value<V>::kType) {
        good = Value<V>::read(in, value);
      } else {
        good = in.skip(number, type);
      }
      if (!good) return false;
    }
    return true;
  }
};

/// A container as a single value: the message {container = 1}.
template <class T>
struct WrappedValue : NestedValue<WrappedValue<T>, T> {
  static constexpr FieldSchema kFields[1] = {Field<T>::schema()};
  static constexpr TypeSchema schema() {
    return {.type = ProtoType::kMessage, .is_wrapper = true, .fields = kFields, .count = 1};
  }

  static bool is_default(const T&) { return false; }
  static std::size_t body_size(const T& value, NestedSizes* sizes) { return Field<T>::template size<1>(value, sizes); }
  static std::byte* write_body(std::byte* at, const T& value, NestedSizes* sizes) {
    return Field<T>::template write<1>(at, value, sizes);
  }
  static bool read(Decoder& in, T& value) {
    return in.read_nested([&] { return Message<T>::read(in, value); });
  }
  static void clear(T& value) { Field<T>::clear(value); }
};

template <class T>
  requires(SequenceType<T> || SetType<T> || MapType<T>)
struct Value<T> : WrappedValue<T> {};
template <class E, std::size_t N>
  requires(!ByteType<E>)
struct Value<std::array<E, N>> : WrappedValue<std::array<E, N>> {};
template <class T>
struct Value<std::optional<T>> : WrappedValue<std::optional<T>> {};
template <class T>
struct Value<std::unique_ptr<T>> : WrappedValue<std::unique_ptr<T>> {};
template <class E>
  requires(!ByteType<E>)
struct Value<std::span<const E>> : WrappedValue<std::span<const E>> {};
template <class E>
struct Value<SpanArgument<E>> : WrappedValue<SpanArgument<E>> {};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
