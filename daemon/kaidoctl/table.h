/// Aligned columns for a terminal, and the small words in them: durations, sizes, colours.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kaido::daemon {

enum class Colour { kNone, kBold, kDim, kGreen, kYellow, kRed };

/// How text is written: `coloured` only for a terminal whose user has not set NO_COLOR.
struct Style {
  bool coloured = false;
};

/// `text` in `colour`; just `text` where the style has none. Control characters, which may come from another node's
/// name or tags, are shown as \xNN instead of obeyed.
[[nodiscard]] std::string paint(std::string_view text, Colour colour, Style style);

struct Cell {
  std::string text;
  Colour colour = Colour::kNone;
};

/// Rows below a header, columns as wide as their widest cell, two spaces between, nothing at the end of a line.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)) {}

  /// One cell per column. An empty text is shown as "-", so that `awk` can count columns.
  void add(std::vector<Cell> row);

  [[nodiscard]] std::string render(Style style) const;

 private:
  std::vector<std::string> header_;
  std::vector<std::vector<Cell>> rows_;
};

/// Three digits and a unit: "0.8µs" "123µs" "1.2ms" "45.1s" "12m05s" "3h04m" "2d03h".
[[nodiscard]] std::string format_seconds(double seconds);

/// "512KiB" "12.3MiB" "1.5GiB".
[[nodiscard]] std::string format_kib(std::uint64_t kib);

/// Whole numbers without a point, others with up to six digits.
[[nodiscard]] std::string format_number(double number);

}  // namespace kaido::daemon
