/// Lists and sets as repeated fields, packed where protobuf packs.
///
/// Internal to kaido/codec.h. Containers are known by their members and not by their names, so that no container's
/// header is included for its sake and those of other libraries work too.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <kaido/detail/codec_message.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

template <class T>
concept ContainerType =
    !Represented<T> && !PathType<T> && std::is_class_v<T> && requires(T& container, const T& other) {
      typename T::value_type;
      { other.size() } -> std::convertible_to<std::size_t>;
      other.begin() != other.end();
      container.clear();
    };
template <class T>
concept MapType = ContainerType<T> && requires(T& map, typename T::key_type key, typename T::mapped_type value) {
  map.insert_or_assign(std::move(key), std::move(value));
};
template <class T>
concept SetType = ContainerType<T> && !MapType<T> && requires(T& set, typename T::key_type key) {
  requires std::same_as<typename T::key_type, typename T::value_type>;
  set.insert(std::move(key));
};
/// Contiguous: elements may be copied as one block.
template <class T>
concept ContiguousType = requires(const T& list) {
  { list.data() } -> std::same_as<const typename T::value_type*>;
};
template <class T>
struct IsString : std::false_type {};
template <class A>
struct IsString<std::basic_string<char, std::char_traits<char>, A>> : std::true_type {};
/// std::vector, deque, list… A contiguous run of bytes is no list but a block.
template <class T>
concept SequenceType = ContainerType<T> && !MapType<T> && !SetType<T> && !IsString<T>::value &&
                       !(ContiguousType<T> && ByteType<typename T::value_type>) &&
                       requires(T& list, typename T::value_type element) { list.push_back(std::move(element)); };

/// How a received element is put at a list's end.
template <class T>
struct ListTraits;

/// Puts `count` elements that lie anywhere, also unaligned, at the end of an std::vector: one copy, where resize()
/// would write zeros first.
template <class E, class A>
void append_block(std::vector<E, A>& list, const std::byte* from, std::size_t count) {
#if defined(__GLIBCXX__) && !defined(__clang__)
  // libstdc++ copies a range of pointers to plain numbers with memmove, which asks for no alignment. g++ knows that;
  // clang takes the pointers' type as a promise of alignment.
  const E* const first = reinterpret_cast<const E*>(from);
  if (list.empty()) {
    list.assign(first, first + count);
  } else {
    list.insert(list.end(), first, first + count);
  }
#else
  list.resize(list.size() + count);
  write_bytes(reinterpret_cast<std::byte*>(list.data() + (list.size() - count)), from, count * sizeof(E));
#endif
}

template <class T>
  requires(SequenceType<T> || SetType<T>)
struct ListTraits<T> {
  using Element = typename T::value_type;
  struct State {};
  static bool append(Decoder&, T& list, State&, Element&& element) {
    if constexpr (SetType<T>) {
      list.insert(list.end(), std::move(element));  // At the end is a hint: ordered sets are sent in order.
    } else {
      list.push_back(std::move(element));
    }
    return true;
  }
  static void reserve(T& list, std::size_t more) {
    if constexpr (requires { list.reserve(more); }) list.reserve(list.size() + more);
  }
  static void clear(T& list) { list.clear(); }
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
  static void clear(std::array<E, N>& list) {
    for (E& element : list) Field<E>::clear(element);
  }
};

template <class E>
struct ListTraits<std::span<const E>> {
  using Element = E;
};

/// Repeated, packed where the elements are numbers.
template <class T>
struct ListField {
  using E = typename ListTraits<T>::Element;
  static constexpr bool kPacked = kPackable<E>;
  static constexpr FieldSchema schema() { return {FieldLabel::kRepeated, &kTypeOf<E>}; }

  template <std::uint32_t N>
  static std::size_t size(const T& list, NestedSizes* sizes) {
    if (list.size() == 0) return 0;
    if constexpr (kPacked) {
      const std::size_t body = packed_size(list);
      return varint_size(tag_of(N, WireType::kLength)) + varint_size(body) + body;
    } else {
      std::size_t total = list.size() * varint_size(tag_of(N, Value<E>::kType));
      for (const auto& element : list) total += Value<E>::size(element, sizes);
      return total;
    }
  }
  template <std::uint32_t N>
  static std::byte* write(std::byte* at, const T& list, NestedSizes* sizes) {
    if (list.size() == 0) return at;
    if constexpr (kPacked) {
      at = write_varint(write_varint(at, tag_of(N, WireType::kLength)), packed_size(list));
      if constexpr (FixedType<E> && requires {
                      { list.data() } -> std::same_as<const E*>;
                    }) {
        return write_bytes(at, list.data(), list.size() * sizeof(E));
      } else {
        for (const auto& element : list) at = Value<E>::write(at, element, sizes);
        return at;
      }
    } else {
      for (const auto& element : list) {
        at = Value<E>::write(write_varint(at, tag_of(N, Value<E>::kType)), element, sizes);
      }
      return at;
    }
  }

 private:
  static std::size_t packed_size(const T& list) {
    if constexpr (FixedType<E>) {
      return list.size() * sizeof(E);
    } else {
      std::size_t total = 0;
      for (const auto& element : list) total += Value<E>::size(element, nullptr);
      return total;
    }
  }
};

/// A packed block, within its bounds already.
template <class T>
bool read_packed(Decoder& in, T& list, typename ListTraits<T>::State& state) {
  using Traits = ListTraits<T>;
  using E = typename Traits::Element;
  if constexpr (FixedType<E>) {
    if (in.left() % sizeof(E) != 0) return in.fail("a packed block ends within an element");
    if constexpr (requires { append_block(list, nullptr, 0); }) {
      const std::span<const std::byte> block = in.rest();
      append_block(list, block.data(), block.size() / sizeof(E));
      return true;
    }
  } else {
    Traits::reserve(list, in.count_varints());
  }
  while (!in.done()) {
    E element{};
    if (!Value<E>::read(in, element) || !Traits::append(in, list, state, std::move(element))) return false;
  }
  return true;
}

/// Receives elements into a list, packed or one by one: a reader must accept both.
template <class T>
bool read_list(Decoder& in, std::uint32_t number, WireType type, T& list, typename ListTraits<T>::State& state) {
  using Traits = ListTraits<T>;
  using E = typename Traits::Element;
  if constexpr (kPackable<E>) {
    if (type == WireType::kLength) {
      return in.read_within([&] { return read_packed(in, list, state); });
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

template <class T>
  requires(SequenceType<T> || SetType<T>)
struct Field<T> : ReceivedListField<T> {};
template <class E, std::size_t N>
  requires(!ByteType<E>)
struct Field<std::array<E, N>> : ReceivedListField<std::array<E, N>> {};

/// What a parameter of type std::span<const E> is received into when its elements are not bytes: a view of the received
/// bytes where they are fixed-width and aligned, else of a copy.
template <class E>
struct SpanArgument {
  static_assert(!std::same_as<E, bool>,
                "There is no span of received bools, which are packed: take a const std::vector<bool>&");
  std::span<const E> view;
  std::vector<E> copy;
  operator std::span<const E>() const { return view; }  // NOLINT(google-explicit-constructor): it stands for the span
};

/// Only sent; received as a SpanArgument, and therefore only as a parameter of its own.
template <class E>
  requires(!ByteType<E>)
struct Field<std::span<const E>> : ListField<std::span<const E>> {};

template <class E>
struct Field<SpanArgument<E>> {
  using State = typename ListTraits<std::vector<E>>::State;
  static constexpr FieldSchema schema() { return {FieldLabel::kRepeated, &kTypeOf<E>}; }
  static bool read(Decoder& in, std::uint32_t number, WireType type, SpanArgument<E>& list, State& state) {
    if constexpr (FixedType<E>) {
      if (type == WireType::kLength && list.view.empty()) {
        return in.read_within([&] { return view_block(in, list); });
      }
    }
    // In several parts, or of variable width: what was only viewed so far must be copied first.
    if (list.copy.empty()) list.copy.assign(list.view.begin(), list.view.end());
    const bool good = read_list(in, number, type, list.copy, state);
    list.view = list.copy;
    return good;
  }
  static void clear(SpanArgument<E>& list) {
    list.copy.clear();
    list.view = {};
  }

 private:
  static bool view_block(Decoder& in, SpanArgument<E>& list) {
    if (in.left() % sizeof(E) != 0) return in.fail("a packed block ends within an element");
    const std::span<const std::byte> block = in.rest();
    if (reinterpret_cast<std::uintptr_t>(block.data()) % alignof(E) == 0) {
      list.view = {reinterpret_cast<const E*>(block.data()), block.size() / sizeof(E)};
    } else {
      append_block(list.copy, block.data(), block.size() / sizeof(E));
      list.view = list.copy;
    }
    return true;
  }
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
