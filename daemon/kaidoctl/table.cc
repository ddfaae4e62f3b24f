#include "daemon/kaidoctl/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

constexpr std::size_t kGap = 2;

template <class... Values>
std::string print(const char* format, Values... values) {
  char buffer[64];
  const int size = std::snprintf(buffer, sizeof buffer, format, values...);
  KAIDO_CHECK(size >= 0 && static_cast<std::size_t>(size) < sizeof buffer);
  return std::string(buffer, static_cast<std::size_t>(size));
}

std::string_view escape_code(Colour colour) {
  switch (colour) {
    case Colour::kBold:
      return "\x1b[1m";
    case Colour::kDim:
      return "\x1b[2m";
    case Colour::kGreen:
      return "\x1b[32m";
    case Colour::kYellow:
      return "\x1b[33m";
    case Colour::kRed:
      return "\x1b[31m";
    case Colour::kNone:
      break;
  }
  return "";
}

std::string harmless(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += print("\\x%02x", static_cast<unsigned>(byte));
    } else {
      result += c;
    }
  }
  return result;
}

/// Code points: names are expected to be narrow.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

std::string paint(std::string_view text, Colour colour, Style style) {
  const auto code = style.coloured ? escape_code(colour) : std::string_view();
  if (code.empty()) {
    return harmless(text);
  }
  return std::string(code) + harmless(text) + "\x1b[0m";
}

void Table::add(std::vector<Cell> row) {
  KAIDO_CHECK(row.size() == header_.size());
  for (auto& cell : row) {
    cell.text = cell.text.empty() ? "-" : harmless(cell.text);
  }
  rows_.push_back(std::move(row));
}

std::string Table::render(Style style) const {
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < header_.size(); ++column) {
    auto width = width_of(header_[column]);
    for (const auto& row : rows_) {
      width = std::max(width, width_of(row[column].text));
    }
    widths.push_back(width);
  }
  std::string result;
  const auto append = [&](std::size_t column, std::string_view text, Colour colour) {
    result += paint(text, colour, style);
    const bool is_last = column + 1 == header_.size();
    result += is_last ? "\n" : std::string(widths[column] - width_of(text) + kGap, ' ');
  };
  for (std::size_t column = 0; column < header_.size(); ++column) {
    append(column, header_[column], Colour::kBold);
  }
  for (const auto& row : rows_) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      append(column, row[column].text, row[column].colour);
    }
  }
  return result;
}

std::string format_seconds(double seconds) {
  if (!(seconds >= 0)) {  // also what is no number
    return "?";
  }
  if (seconds < 1e-6) {
    return seconds == 0 ? "0s" : print("%.0fns", seconds * 1e9);
  }
  if (seconds < 1e-3) {
    return print(seconds < 1e-4 ? "%.1fµs" : "%.0fµs", seconds * 1e6);
  }
  if (seconds < 1) {
    return print(seconds < 0.1 ? "%.1fms" : "%.0fms", seconds * 1e3);
  }
  if (seconds < 60) {
    return print("%.1fs", seconds);
  }
  if (seconds > 1e11) {
    return "ages";
  }
  const auto whole = static_cast<long long>(seconds);
  if (whole < 3600) {
    return print("%lldm%02llds", whole / 60, whole % 60);
  }
  if (whole < 86400) {
    return print("%lldh%02lldm", whole / 3600, whole / 60 % 60);
  }
  return print("%lldd%02lldh", whole / 86400, whole / 3600 % 24);
}

std::string format_kib(std::uint64_t kib) {
  if (kib < 1024) {
    return print("%lluKiB", static_cast<unsigned long long>(kib));
  }
  const double mib = static_cast<double>(kib) / 1024;
  return mib < 1024 ? print("%.1fMiB", mib) : print("%.1fGiB", mib / 1024);
}

std::string format_number(double number) {
  return std::floor(number) == number && std::fabs(number) < 1e15 ? print("%.0f", number) : print("%.6g", number);
}

}  // namespace kaido::daemon
