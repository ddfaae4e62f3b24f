/// What word_count prints: totals, the most frequent words, and who did how much.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sdk/examples/count.h"

namespace word_count {

struct Report {
  using Duration = std::chrono::steady_clock::duration;

  Counts counts;
  std::map<std::string, std::vector<Duration>> latencies;  ///< by node
  std::uintmax_t bytes = 0;
  Duration elapsed{};

  void add(const std::string& node, Counts&& more, std::size_t piece_bytes, Duration latency);
  [[nodiscard]] std::int64_t total() const;
  /// The most frequent first, equally frequent ones in alphabetical order.
  [[nodiscard]] std::vector<std::pair<std::string, std::int64_t>> top(std::size_t limit) const;

  void print() const;
  void print_json() const;

 private:
  [[nodiscard]] std::size_t calls() const;
  [[nodiscard]] double calls_per_second() const;
};

}  // namespace word_count
