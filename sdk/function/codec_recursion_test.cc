// Types that contain themselves: what writing them costs, and how deep they may be. (That libprotobuf reads to the same
// depth is in codec_protobuf_test.cc.)
#include <kaido/codec.h>

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "sdk/function/codec_zoo.h"

namespace kaido::detail {
namespace {

/// Counts how often it is asked for what represents it: once for each time that it is measured, written, or looked at.
struct Leaf {
  static inline int asked = 0;
};

}  // namespace
}  // namespace kaido::detail

template <>
struct kaido::Represent<kaido::detail::Leaf> {
  using type = int;
  static type to(const detail::Leaf&) { return ++detail::Leaf::asked, 7; }
  static detail::Leaf from(type) { return {}; }
};

namespace kaido::detail {
namespace {

using Bytes = std::vector<std::byte>;
using codec_zoo::Point;

/// Itself in every way in which a type can hold itself.
struct Nest {
  Leaf leaf;
  std::unique_ptr<Nest> next;
  std::vector<std::vector<Nest>> rows;
  std::map<std::string, Nest> named;
  std::variant<int, std::unique_ptr<Nest>> either;
  std::pair<int, std::list<Nest>> pair;
};
/// Not on the way back to itself.
struct House {
  std::string name;
  Nest nest;
  Point at;
};

Nest make_nest(int depth, int way) {
  Nest nest;
  if (depth == 0) return nest;
  switch (way < 0 ? depth % 5 : way) {
    case 0:
      nest.next = std::make_unique<Nest>(make_nest(depth - 1, way));
      break;
    case 1:
      nest.rows.resize(2);
      nest.rows[1].push_back(make_nest(depth - 1, way));
      nest.rows[1].emplace_back();
      break;
    case 2:
      nest.named.emplace("a", Nest());
      nest.named.emplace("b", make_nest(depth - 1, way));
      break;
    case 3:
      nest.either = std::make_unique<Nest>(make_nest(depth - 1, way));
      break;
    default:
      nest.pair.second.push_back(make_nest(depth - 1, way));
      break;
  }
  return nest;
}

template <class... P>
std::optional<Bytes> try_encode(const P&... values) {
  Bytes out;
  const auto allocate = [&out](std::size_t size) {
    out.resize(size);
    return out.data();
  };
  const auto written = Arguments<P...>::encode(allocate, values...);
  if (!written) return std::nullopt;
  EXPECT_EQ(*written, out.size());
  return out;
}

TEST(Recursion, IsWrittenAsIfItWereMeasuredAtEachLevel) {
  for (int way = -1; way < 5; ++way) {
    for (int depth = 0; depth < 30; ++depth) {
      House house{.name = "h", .nest = make_nest(depth, way), .at = {1, 2}};
      const Bytes wire = try_encode(house, depth).value();
      typename Arguments<House, int>::Storage back;
      const auto failure = Arguments<House, int>::read(wire, back);
      ASSERT_FALSE(failure) << way << ' ' << depth << ' ' << failure->reason;
      EXPECT_EQ(std::get<1>(back), depth);
      EXPECT_EQ(try_encode(std::get<0>(back), depth), wire) << way << ' ' << depth;
    }
  }
}

TEST(Recursion, CostsNoMoreThanItsLength) {
  for (int way = -1; way < 5; ++way) {
    const auto asked_at = [way](int depth) {
      const Nest nest = make_nest(depth, way);
      Leaf::asked = 0;
      EXPECT_TRUE(try_encode(nest));
      return Leaf::asked;
    };
    const int once = asked_at(15) - asked_at(10);
    EXPECT_GT(once, 0);
    EXPECT_EQ(asked_at(30) - asked_at(25), once) << way << ": each level costs the same, however deep it is";
  }
}

TEST(Recursion, IsRefusedWhereItIsTooDeepToBeRead) {
  for (int way = -1; way < 5; ++way) {
    int depth = 0;
    while (try_encode(make_nest(depth, way))) ++depth;
    ASSERT_GT(depth, 20);
    // The deepest that is sent is read.
    const Bytes wire = try_encode(make_nest(depth - 1, way)).value();
    typename Arguments<Nest>::Storage back;
    EXPECT_FALSE(Arguments<Nest>::read(wire, back)) << way;
  }
  // Neither the time nor the stack that it takes grows with what is beyond the bound.
  Nest deep;
  for (int i = 0; i < 100'000; ++i) {
    Nest outer;
    outer.next = std::make_unique<Nest>(std::move(deep));
    deep = std::move(outer);
  }
  Leaf::asked = 0;
  EXPECT_FALSE(try_encode(deep));
  EXPECT_LT(Leaf::asked, 1000);
  for (std::unique_ptr<Nest> rest = std::move(deep.next); rest != nullptr;) rest = std::move(rest->next);
}

}  // namespace
}  // namespace kaido::detail
