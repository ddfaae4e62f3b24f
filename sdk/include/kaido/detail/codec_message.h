/// Messages: a tuple's, pair's or aggregate's members as fields 1, 2, 3…
///
/// Internal to kaido/codec.h. The parameter list of a function is such a message too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include <kaido/detail/codec_block.h>
#include <kaido/detail/codec_value.h>
#include <kaido/detail/member_binding.h>
#include <kaido/detail/type_name.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// The message whose fields are of the types T, in order.
template <class... T>
struct Message {
  using Indexes = std::index_sequence_for<T...>;

  static std::size_t size(NestedSizes* sizes, const T&... fields) { return size(Indexes{}, sizes, fields...); }
  static std::byte* write(std::byte* at, NestedSizes* sizes, const T&... fields) {
    return write(Indexes{}, at, sizes, fields...);
  }
  static void clear(T&... fields) { (Field<T>::clear(fields), ...); }

  /// Reads to the end of the enclosing message into fields that are cleared or hold an earlier part: as in protobuf, a
  /// later occurrence of a single value replaces, of a message merges, of a list appends.
  static bool read(Decoder& in, T&... fields) { return read(Indexes{}, in, fields...); }

 private:
  template <std::size_t... I>
  static std::size_t size(std::index_sequence<I...>, [[maybe_unused]] NestedSizes* sizes, const T&... fields) {
    // In the order in which they are written, which a sum does not promise.
    std::size_t total = 0;
    ((total += Field<T>::template size<static_cast<std::uint32_t>(I + 1)>(fields, sizes)), ...);
    return total;
  }
  template <std::size_t... I>
  static std::byte* write(std::index_sequence<I...>, std::byte* at, [[maybe_unused]] NestedSizes* sizes,
                          const T&... fields) {
    ((at = Field<T>::template write<static_cast<std::uint32_t>(I + 1)>(at, fields, sizes)), ...);
    return at;
  }
  template <std::size_t... I>
  static bool read(std::index_sequence<I...>, Decoder& in, T&... fields) {
    [[maybe_unused]] std::tuple<typename Field<T>::State...> states;
    while (!in.done()) {
      std::uint32_t number = 0;
      WireType type{};
      if (!in.read_tag(number, type)) return false;
      bool good = true;
      const bool known =
          ((number == I + 1 && (good = Field<T>::read(in, number, type, fields, std::get<I>(states)), true)) || ...);
      if (!known) good = in.skip(number, type);
      if (!good) {
        in.failed_in(number);
        return false;
      }
    }
    return true;
  }
};

/// Types whose members can be bound to references: std::pair, std::tuple, and aggregates (member_binding.h).
template <class T>
struct IsTuple : std::false_type {};
template <class... T>
struct IsTuple<std::tuple<T...>> : std::true_type {};
template <class A, class B>
struct IsTuple<std::pair<A, B>> : std::true_type {};
template <class T>
struct IsArray : std::false_type {};
template <class T, std::size_t N>
struct IsArray<std::array<T, N>> : std::true_type {};

/// A struct without constructors, and no container that happens to be one.
template <class T>
concept AggregateType = !Represented<T> && std::is_class_v<T> && std::is_aggregate_v<T> && !IsArray<T>::value &&
                        !IsTuple<T>::value && !requires { typename T::value_type; };
template <class T>
concept MessageType = AggregateType<T> || (IsTuple<T>::value && !Represented<T>);

template <class T>
constexpr std::size_t member_count() {
  if constexpr (IsTuple<T>::value) {
    return std::tuple_size_v<T>;
  } else {
    return kMembersOf<T>;
  }
}

/// Null: a tuple's have none.
template <class T>
constexpr const char* member_names_of() {
  if constexpr (IsTuple<T>::value) {
    return nullptr;
  } else {
    return MemberBinding<kMembersOf<T>>::template names<T>();
  }
}

/// Calls `body` with the members as references.
template <class T, class Body>
constexpr decltype(auto) with_members(T& object, Body&& body) {
  if constexpr (IsTuple<std::remove_const_t<T>>::value) {
    return std::apply(body, object);
  } else {
    return MemberBinding<kMembersOf<std::remove_const_t<T>>>::call(object, body);
  }
}

// What is done with the members; function objects and no lambdas, which would be types of their own for each struct.
struct MembersSize {
  NestedSizes* sizes;
  template <class... M>
  std::size_t operator()(const M&... members) const {
    return Message<M...>::size(sizes, members...);
  }
};
struct MembersWrite {
  std::byte* at;
  NestedSizes* sizes;
  template <class... M>
  std::byte* operator()(const M&... members) const {
    return Message<M...>::write(at, sizes, members...);
  }
};
struct MembersRead {
  Decoder& in;
  template <class... M>
  bool operator()(M&... members) const {
    return Message<M...>::read(in, members...);
  }
};
struct MembersClear {
  template <class... M>
  void operator()(M&... members) const {
    Message<M...>::clear(members...);
  }
};
template <class... M>
struct MemberSchemas {
  // One more than there are, since no array is empty.
  static constexpr FieldSchema kFields[sizeof...(M) + 1] = {Field<M>::schema()..., FieldSchema{}};
};
struct MembersDescribe {
  template <class... M>
  constexpr std::type_identity<MemberSchemas<M...>> operator()(M&...) const {
    return {};
  }
};
template <class T>
using MemberSchemasOf = typename decltype(with_members(std::declval<T&>(), MembersDescribe{}))::type;

/// A length and a message: its size and how it is written, from `Body::body_size(value, sizes)` and
/// `Body::write_body(at, value, sizes)`.
template <class Body, class T>
struct NestedValue {
  static constexpr WireType kType = WireType::kLength;

  static std::size_t size(const T& value, NestedSizes* sizes) {
    std::size_t body = 0;
    if (sizes == nullptr) {
      body = Body::body_size(value, nullptr);
    } else if (const std::size_t place = sizes->begin(); place != NestedSizes::kTooDeep) {
      body = Body::body_size(value, sizes);
      sizes->end(place, body);
    }
    return varint_size(body) + body;
  }
  static std::byte* write(std::byte* at, const T& value, NestedSizes* sizes) {
    const std::size_t body = sizes != nullptr ? sizes->next() : Body::body_size(value, nullptr);
    return Body::write_body(write_varint(at, body), value, sizes);
  }
};

template <MessageType T>
struct Value<T> : NestedValue<Value<T>, T> {
  static_assert(member_count<T>() <= kMaxMembers,
                "Kaido sends structs of at most 64 members: put some of them into a struct of their own, or specialise "
                "kaido::Represent for it");
  static_assert(std::is_default_constructible_v<T>,
                "Kaido must be able to make an empty object to receive into: give this type a default constructor, or "
                "specialise kaido::Represent for it");
  static constexpr TypeSchema schema() {
    return {.type = ProtoType::kMessage,
            .name = message_name<T>(),
            .fields = MemberSchemasOf<T>::kFields,
            .count = member_count<T>(),
            .member_names = member_names_of<T>()};
  }

  // A message by value is always there, even if all its fields are defaults; it then takes two bytes.
  static constexpr bool is_default(const T&) { return false; }
  static std::size_t body_size(const T& value, NestedSizes* sizes) { return with_members(value, MembersSize{sizes}); }
  static std::byte* write_body(std::byte* at, const T& value, NestedSizes* sizes) {
    return with_members(value, MembersWrite{at, sizes});
  }
  static bool read(Decoder& in, T& value) {
    return in.read_nested([&] { return with_members(value, MembersRead{in}); });
  }
  /// To protobuf's defaults, not to the class's own: what the sender left out was zero or empty there.
  static void clear(T& value) { with_members(value, MembersClear{}); }
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
