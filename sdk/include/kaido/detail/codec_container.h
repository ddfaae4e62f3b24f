/// Containers: lists as repeated fields (packed where protobuf packs), maps as protobuf maps, std::optional as an
/// explicitly present field; and the wrapping of a container where a single value is needed.
///
/// Internal to kaido/codec.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <kaido/detail/codec_message.h>

namespace kaido::detail {

/// A list type: its element, and how a received element is put at its end.
template <class T>
struct ListTraits;

template <class E>
struct ListTraits<std::vector<E>> {
  using Element = E;
  struct State {};
  static bool append(Decoder&, std::vector<E>& list, State&, E&& element) {
    list.push_back(std::move(element));
    return true;
  }
  static void reserve(std::vector<E>& list, std::size_t more) { list.reserve(list.size() + more); }
  /// Room for `count` elements at the end, to copy into; null if the list has no contiguous room.
  static E* extend(Decoder&, std::vector<E>& list, State&, std::size_t count) {
    list.resize(list.size() + count);
    return list.data() + (list.size() - count);
  }
  static void clear(std::vector<E>& list) { list.clear(); }
};

template <class E, std::size_t N>
struct ListTraits<std::array<E, N>> {
  using Element = E;
  struct State {
    std::size_t filled = 0;
  };
  static bool append(Decoder& in, std::array<E, N>& list, State& state, E&& element) {
    if (state.filled == N) return in.fail("more elements than the array holds");
    list[state.filled++] = std::move(element);
    return true;
  }
  static void reserve(std::array<E, N>&, std::size_t) {}
  static E* extend(Decoder& in, std::array<E, N>& list, State& state, std::size_t count) {
    if (count > N - state.filled) {
      in.fail("more elements than the array holds");
      return nullptr;
    }
    state.filled += count;
    return list.data() + (state.filled - count);
  }
  static void clear(std::array<E, N>& list) {
    for (E& element : list) Field<E>::clear(element);
  }
};

/// What a parameter of type std::span<const E> is received into when its elements are not bytes: a view of the received
/// bytes where they are fixed-width and aligned, else of a copy.
template <class E>
struct SpanArgument {
  std::span<const E> view;
  std::vector<E> copy;
  operator std::span<const E>() const { return view; }  // NOLINT(google-explicit-constructor): it stands for the span
};

template <class E>
struct ListTraits<std::span<const E>> {
  using Element = E;
};

/// Repeated, packed where the elements are numbers.
template <class T>
struct ListField {
  using E = typename ListTraits<T>::Element;
  static constexpr bool kPacked = PackableType<E>;

  template <std::uint32_t N>
  static std::size_t size(const T& list) {
    if (list.size() == 0) return 0;
    if constexpr (kPacked) {
      const std::size_t body = packed_size(list);
      return varint_size(tag_of(N, WireType::kLength)) + varint_size(body) + body;
    } else {
      std::size_t total = list.size() * varint_size(tag_of(N, Value<E>::kType));
      for (const auto& element : list) total += Value<E>::size(element);
      return total;
    }
  }
  template <std::uint32_t N>
  static std::byte* write(std::byte* at, const T& list) {
    if (list.size() == 0) return at;
    if constexpr (kPacked) {
      at = write_varint(write_varint(at, tag_of(N, WireType::kLength)), packed_size(list));
      if constexpr (FixedType<E>) {
        return write_bytes(at, list.data(), list.size() * sizeof(E));
      } else {
        for (const E element : list) at = Value<E>::write(at, element);
        return at;
      }
    } else {
      for (const auto& element : list) at = Value<E>::write(write_varint(at, tag_of(N, Value<E>::kType)), element);
      return at;
    }
  }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put("repeated ");
    Value<E>::describe(out);
  }

 private:
  static std::size_t packed_size(const T& list) {
    if constexpr (FixedType<E>) {
      return list.size() * sizeof(E);
    } else {
      std::size_t total = 0;
      for (const E element : list) total += Value<E>::size(element);
      return total;
    }
  }
};

/// Receives elements into a list, packed or one by one: a reader must accept both.
template <class T>
bool read_list(Decoder& in, std::uint32_t number, WireType type, T& list, typename ListTraits<T>::State& state) {
  using Traits = ListTraits<T>;
  using E = typename Traits::Element;
  if constexpr (PackableType<E>) {
    if (type == WireType::kLength) {
      return in.read_nested([&] {
        if constexpr (FixedType<E>) {
          if (in.left() % sizeof(E) != 0) return in.fail("a packed block ends within an element");
          if (in.done()) return true;
          const std::size_t bytes = in.left();
          E* const room = Traits::extend(in, list, state, bytes / sizeof(E));
          return room != nullptr && in.read_fixed(room, bytes);
        } else {
          Traits::reserve(list, in.count_varints());
          while (!in.done()) {
            E element{};
            if (!Value<E>::read(in, element) || !Traits::append(in, list, state, std::move(element))) return false;
          }
          return true;
        }
      });
    }
  }
  if (type != Value<E>::kType) return in.skip(number, type);
  E element = make_cleared<E>();
  return Value<E>::read(in, element) && Traits::append(in, list, state, std::move(element));
}

template <class T>
struct ReceivedListField : ListField<T> {
  using State = typename ListTraits<T>::State;
  static bool read(Decoder& in, std::uint32_t number, WireType type, T& list, State& state) {
    return read_list(in, number, type, list, state);
  }
  static void clear(T& list) { ListTraits<T>::clear(list); }
};

template <class E>
  requires(!ByteType<E>)
struct Field<std::vector<E>> : ReceivedListField<std::vector<E>> {};
template <class E, std::size_t N>
  requires(!ByteType<E>)
struct Field<std::array<E, N>> : ReceivedListField<std::array<E, N>> {};

/// Only sent; received as a SpanArgument, and therefore only as a parameter of its own.
template <class E>
  requires(!ByteType<E>)
struct Field<std::span<const E>> : ListField<std::span<const E>> {};

template <class E>
struct Field<SpanArgument<E>> {
  using State = typename ListTraits<std::vector<E>>::State;
  static bool read(Decoder& in, std::uint32_t number, WireType type, SpanArgument<E>& list, State& state) {
    if constexpr (FixedType<E>) {
      if (type == WireType::kLength && list.view.empty()) {
        return in.read_nested([&] {
          if (in.left() % sizeof(E) != 0) return in.fail("a packed block ends within an element");
          std::span<const std::byte> rest = in.rest();
          if (reinterpret_cast<std::uintptr_t>(rest.data()) % alignof(E) == 0) {
            list.view = {reinterpret_cast<const E*>(rest.data()), rest.size() / sizeof(E)};
          } else {
            list.copy.resize(rest.size() / sizeof(E));
            write_bytes(reinterpret_cast<std::byte*>(list.copy.data()), rest.data(), rest.size());
            list.view = list.copy;
          }
          return true;
        });
      }
    }
    // In several parts, or of variable width: what was only viewed so far must be copied first.
    if (list.copy.empty()) list.copy.assign(list.view.begin(), list.view.end());
    const bool good = read_list(in, number, type, list.copy, state);
    list.view = list.copy;
    return good;
  }
};

/// Present or not, whatever the value: proto3's `optional`.
template <class T>
struct Field<std::optional<T>> {
  struct State {};
  template <std::uint32_t N>
  static std::size_t size(const std::optional<T>& value) {
    return value ? varint_size(tag_of(N, Value<T>::kType)) + Value<T>::size(*value) : 0;
  }
  template <std::uint32_t N>
  static std::byte* write(std::byte* at, const std::optional<T>& value) {
    return value ? Value<T>::write(write_varint(at, tag_of(N, Value<T>::kType)), *value) : at;
  }
  static bool read(Decoder& in, std::uint32_t number, WireType type, std::optional<T>& value, State&) {
    if (type != Value<T>::kType) return in.skip(number, type);
    if (!value) value = make_cleared<T>();
    return Value<T>::read(in, *value);
  }
  static void clear(std::optional<T>& value) { value.reset(); }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put("optional ");
    Value<T>::describe(out);
  }
};

/// Protobuf's map: repeated entries {key = 1, value = 2}, both always written. For keys that protobuf's own map syntax
/// does not allow (floating point, messages), the bytes are the same and the schema is the repeated message.
template <class Map>
struct MapField {
  using K = typename Map::key_type;
  using V = typename Map::mapped_type;
  struct State {};

  static std::size_t entry_size(const K& key, const V& value) { return 2 + Value<K>::size(key) + Value<V>::size(value); }

  template <std::uint32_t N>
  static std::size_t size(const Map& map) {
    std::size_t total = map.size() * varint_size(tag_of(N, WireType::kLength));
    for (const auto& [key, value] : map) {
      const std::size_t entry = entry_size(key, value);
      total += varint_size(entry) + entry;
    }
    return total;
  }
  template <std::uint32_t N>
  static std::byte* write(std::byte* at, const Map& map) {
    for (const auto& [key, value] : map) {
      at = write_varint(write_varint(at, tag_of(N, WireType::kLength)), entry_size(key, value));
      at = Value<K>::write(write_varint(at, tag_of(1, Value<K>::kType)), key);
      at = Value<V>::write(write_varint(at, tag_of(2, Value<V>::kType)), value);
    }
    return at;
  }
  static bool read(Decoder& in, std::uint32_t number, WireType type, Map& map, State&) {
    if (type != WireType::kLength) return in.skip(number, type);
    K key = make_cleared<K>();
    V value = make_cleared<V>();
    const bool good = in.read_nested([&] { return read_entry(in, key, value); });
    if (good) map.insert_or_assign(std::move(key), std::move(value));
    return good;
  }
  static void clear(Map& map) { map.clear(); }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put("map<");
    Value<K>::describe(out);
    out.put(", ");
    Value<V>::describe(out);
    out.put(">");
  }

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

template <class K, class V, class C, class A>
struct Field<std::map<K, V, C, A>> : MapField<std::map<K, V, C, A>> {};
template <class K, class V, class H, class Q, class A>
struct Field<std::unordered_map<K, V, H, Q, A>> : MapField<std::unordered_map<K, V, H, Q, A>> {};

/// A container as a single value: the message {container = 1}.
template <class T>
struct WrappedValue {
  static constexpr WireType kType = WireType::kLength;
  static constexpr bool is_default(const T&) { return false; }
  static std::size_t size(const T& value) {
    const std::size_t body = Field<T>::template size<1>(value);
    return varint_size(body) + body;
  }
  static std::byte* write(std::byte* at, const T& value) {
    return Field<T>::template write<1>(write_varint(at, Field<T>::template size<1>(value)), value);
  }
  static bool read(Decoder& in, T& value) {
    return in.read_nested([&] { return Message<T>::read(in, value); });
  }
  static void clear(T& value) { Field<T>::clear(value); }
  template <class Sink>
  static constexpr void describe(Sink& out) {
    out.put("{");
    Field<T>::describe(out);
    out.put("}");
  }
};

template <class E>
  requires(!ByteType<E>)
struct Value<std::vector<E>> : WrappedValue<std::vector<E>> {};
template <class E, std::size_t N>
  requires(!ByteType<E>)
struct Value<std::array<E, N>> : WrappedValue<std::array<E, N>> {};
template <class T>
struct Value<std::optional<T>> : WrappedValue<std::optional<T>> {};
template <class K, class V, class C, class A>
struct Value<std::map<K, V, C, A>> : WrappedValue<std::map<K, V, C, A>> {};
template <class K, class V, class H, class Q, class A>
struct Value<std::unordered_map<K, V, H, Q, A>> : WrappedValue<std::unordered_map<K, V, H, Q, A>> {};

}  // namespace kaido::detail
