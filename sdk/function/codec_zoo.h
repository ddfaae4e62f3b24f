/// Types of every kind that the codec knows, and random values of any of them: what its tests and its fuzz target
/// share.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <kaido/codec.h>

namespace kaido::codec_zoo {

enum class Colour : std::int16_t { kRed = -1, kGreen = 7 };
enum Plain : std::uint64_t { kPlain = 1ULL << 40 };

struct Point {
  double x = 1;
  double y = 1;
  bool operator==(const Point&) const = default;
};

struct Shape {
  std::string name = "unnamed";
  std::vector<Point> points;
  std::optional<std::int32_t> weight;
  std::map<std::string, std::vector<std::uint32_t>> marks;
  Colour colour = Colour::kGreen;
  std::variant<std::monostate, Point, std::string> label;
  bool operator==(const Shape&) const = default;
};

struct Empty {
  bool operator==(const Empty&) const = default;
};

/// Within itself, in two ways.
struct Tree {
  std::int32_t value = 0;
  std::unique_ptr<Tree> left;
  std::vector<Tree> others;
  bool operator==(const Tree& other) const {
    if (value != other.value || others != other.others || !left != !other.left) return false;
    return !left || *left == *other.left;
  }
};

/// As many members as a struct may have.
struct Wide {
  std::int32_t m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15, m16;
  std::string m17, m18, m19, m20, m21, m22, m23, m24, m25, m26, m27, m28, m29, m30, m31, m32;
  double m33, m34, m35, m36, m37, m38, m39, m40, m41, m42, m43, m44, m45, m46, m47, m48;
  std::optional<bool> m49, m50, m51, m52, m53, m54, m55, m56, m57, m58, m59, m60, m61, m62, m63, m64;
  bool operator==(const Wide&) const = default;
};

/// A class of its own making, represented by a number; debts are refused.
class Money {
 public:
  Money() = default;
  explicit Money(std::int64_t cents) : cents_(cents) {}
  [[nodiscard]] std::int64_t cents() const { return cents_; }
  bool operator==(const Money&) const = default;

 private:
  std::int64_t cents_ = 0;
};

/// Represented by a container.
class Polygon {
 public:
  Polygon() = default;
  explicit Polygon(std::vector<Point> corners) : corners_(std::move(corners)) {}
  [[nodiscard]] const std::vector<Point>& corners() const { return corners_; }
  bool operator==(const Polygon&) const = default;

 private:
  std::vector<Point> corners_;
};

/// Members of many kinds, some of which can be made from nearly everything.
struct Mixture {
  std::array<std::int32_t, 3> triple{};
  Point point;
  std::pair<int, std::string> pair;
  std::tuple<bool, Point> tuple;
  std::chrono::seconds duration{};
  std::chrono::system_clock::time_point time;
  std::filesystem::path path;
  std::set<int> set;
  std::map<int, int> map;
  std::vector<bool> flags;
  std::deque<std::string> words;
  std::list<double> numbers;
  char letter = 0;
  Colour colour{};
  Money money;
  Polygon polygon;
  std::vector<std::byte> bytes;
  std::array<char, 4> code{};
  std::optional<std::optional<std::string>> note;
  std::variant<std::string, double> either;
  bool operator==(const Mixture&) const = default;
};

}  // namespace kaido::codec_zoo

template <>
struct kaido::Represent<kaido::codec_zoo::Money> {
  using type = std::int64_t;
  static type to(const codec_zoo::Money& money) { return money.cents(); }
  static codec_zoo::Money from(type cents) {
    if (cents < 0) throw std::invalid_argument("debt");
    return codec_zoo::Money(cents);
  }
};
template <>
struct kaido::Represent<kaido::codec_zoo::Polygon> {
  using type = std::vector<codec_zoo::Point>;
  static const type& to(const codec_zoo::Polygon& polygon) { return polygon.corners(); }
  static codec_zoo::Polygon from(type corners) { return codec_zoo::Polygon(std::move(corners)); }
};

namespace kaido::codec_zoo {

template <class T>
struct Tag {};

/// Random values, from a seed. Views that it makes live as long as it does.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}

  std::uint32_t below(std::uint32_t bound) { return engine_() % bound; }

  template <class T>
  T value() {
    return make(Tag<T>{});
  }

 private:
  /// How long a list may get: the deeper the shorter, so that trees end.
  class Depth {
   public:
    explicit Depth(int& depth) : depth_(depth) { ++depth_; }
    ~Depth() { --depth_; }

   private:
    int& depth_;
  };
  std::size_t count() { return depth_ > 4 ? 0 : below(5); }

  /// Of every length in bits, so that varints of every length occur.
  std::uint64_t bits() {
    const std::uint64_t wide = static_cast<std::uint64_t>(engine_()) << 32 | engine_();
    return wide >> below(65) % 64;
  }
  std::string text() {
    std::string out;
    for (std::uint32_t left = below(200) % 131; left > 0; --left)
      out += below(20) == 0 ? "é" : std::string(1, "abc\0"[below(4)]);
    return out;
  }

  template <class T>
  T make(Tag<T>) {
    const Depth depth(depth_);
    if constexpr (detail::Represented<T>) {
      return represented(Tag<T>{});
    } else if constexpr (std::is_enum_v<T>) {
      return static_cast<T>(bits());
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(bits());
    } else if constexpr (std::is_floating_point_v<T>) {
      return below(8) == 0 ? T{-0.0} : below(8) == 0 ? T{0} : static_cast<T>(static_cast<std::int32_t>(bits())) / 8;
    } else if constexpr (detail::IsDuration<T>::value) {
      return T(static_cast<typename T::rep>(static_cast<std::int16_t>(bits())));
    } else if constexpr (detail::IsTimePoint<T>::value) {
      return T(typename T::duration(static_cast<std::int16_t>(bits())));
    } else if constexpr (detail::PathType<T>) {
      return T(text());
    } else if constexpr (detail::IsString<T>::value) {
      return T(text());
    } else if constexpr (detail::MessageType<T>) {
      T out{};
      detail::with_members(
          out, [this](auto&... members) { ((members = this->value<std::remove_cvref_t<decltype(members)>>()), ...); });
      return out;
    } else {
      return container(Tag<T>{});
    }
  }

  Money represented(Tag<Money>) { return Money(static_cast<std::int64_t>(bits() >> 1)); }
  Polygon represented(Tag<Polygon>) { return Polygon(value<std::vector<Point>>()); }

  std::string_view container(Tag<std::string_view>) { return texts_.emplace_back(text()); }
  template <class E>
  std::span<const E> container(Tag<std::span<const E>>) {
    auto owner = std::make_shared<std::vector<E>>(value<std::vector<E>>());
    owners_.push_back(owner);
    return *owner;
  }
  template <class E, std::size_t N>
  std::array<E, N> container(Tag<std::array<E, N>>) {
    std::array<E, N> out{};
    for (E& element : out) element = value<E>();
    return out;
  }
  template <class T>
  std::optional<T> container(Tag<std::optional<T>>) {
    return count() == 0 ? std::optional<T>() : std::optional<T>(value<T>());
  }
  template <class T>
  std::unique_ptr<T> container(Tag<std::unique_ptr<T>>) {
    return count() == 0 ? nullptr : std::make_unique<T>(value<T>());
  }
  template <class... A>
  std::variant<A...> container(Tag<std::variant<A...>>) {
    std::variant<A...> out;
    const std::size_t which = below(sizeof...(A));
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((which == I ? static_cast<void>(out.template emplace<I>(value<A>())) : static_cast<void>(0)), ...);
    }(std::index_sequence_for<A...>{});
    return out;
  }
  template <class T>
  T container(Tag<T>) {
    T out;
    for (std::size_t left = count(); left > 0; --left) {
      if constexpr (detail::MapType<T>) {
        auto key = value<typename T::key_type>();
        out.insert_or_assign(std::move(key), value<typename T::mapped_type>());
      } else if constexpr (detail::SetType<T>) {
        out.insert(value<typename T::value_type>());
      } else {
        out.push_back(value<typename T::value_type>());
      }
    }
    return out;
  }

  std::mt19937 engine_;
  int depth_ = 0;
  std::deque<std::string> texts_;
  std::vector<std::shared_ptr<void>> owners_;
};

/// Nothing: nested too deeply.
template <class... P>
std::optional<std::string> try_encode_text(const P&... values) {
  std::string out;
  const auto allocate = [&out](std::size_t size) {
    out.resize(size);
    return reinterpret_cast<std::byte*>(out.data());
  };
  const auto written = detail::Arguments<P...>::encode(allocate, values...);
  if (!written) return std::nullopt;
  if (*written != out.size()) throw std::logic_error("size() and write() disagree");
  return out;
}
template <class... P>
std::string encode_text(const P&... values) {
  return try_encode_text(values...).value();
}

}  // namespace kaido::codec_zoo
