/// What the codec benchmark encodes: the same values for every subject.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace kaido::bench {

/// The arguments of f(int64, string, vector<double>).
struct Numbers {
  std::int64_t id = 0;
  std::string text;
  std::vector<double> values;
};

struct Line {
  std::string article;
  std::int32_t count = 0;
  double price = 0;
};
struct Address {
  std::string street;
  std::string city;
  std::int32_t number = 0;
};
struct Order {
  std::int64_t id = 0;
  std::string customer;
  Address address;
  std::vector<Line> lines;
  std::optional<std::string> note;
};

using Table = std::map<std::string, std::int64_t>;

/// A text of 64 bytes and so many doubles.
[[nodiscard]] inline Numbers make_numbers(std::size_t count) {
  Numbers numbers{.id = 1234567890123, .text = std::string(64, 'x'), .values = {}};
  for (std::size_t i = 0; i < count; ++i) numbers.values.push_back(static_cast<double>(i) * 0.5);
  return numbers;
}

[[nodiscard]] inline Order make_order() {
  Order order{.id = 42,
              .customer = "Utagawa Hiroshige",
              .address = {"Nihonbashi-dori", "Edo", 53},
              .lines = {},
              .note = "by road"};
  for (int i = 0; i < 5; ++i) order.lines.push_back({"station " + std::to_string(i), i + 1, 12.5 * i});
  return order;
}

[[nodiscard]] inline Table make_table() {
  Table table;
  for (int i = 0; i < 100; ++i) table["station number " + std::to_string(i)] = i * 1000;
  return table;
}

}  // namespace kaido::bench
