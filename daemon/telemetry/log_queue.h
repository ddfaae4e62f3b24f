/// Lines of the log on their way to its sink: bounded, so that a sink that stalls costs lines and never the node.
///
/// When the queue is full, the newest line is dropped and counted: what led to the stall is kept. Where lines are
/// missing, one line in their place says how many, once the sink flows again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>

namespace kaido::daemon {

/// Raising them keeps more of a burst while the sink is slow, and costs that memory; lowering them loses lines sooner.
inline constexpr std::size_t kLogQueueLinesMax = 8192;
inline constexpr std::size_t kLogQueueBytesMax = 2U << 20;
/// What is handed to the sink at once: fewer system calls, against how much a failed write loses.
inline constexpr std::size_t kLogBatchBytes = 64U << 10;

struct LogQueueBounds {
  std::size_t lines = kLogQueueLinesMax;
  std::size_t bytes = kLogQueueBytesMax;
  std::size_t batch_bytes = kLogBatchBytes;
};

/// What became of the lines since the start.
struct LogCounters {
  std::uint64_t written = 0;
  /// The queue was full, or the sink refused them.
  std::uint64_t dropped = 0;
};

/// Decides which lines are kept; knows no threads and no descriptors.
///
/// Threading: none of its own; whoever shares it locks.
class LogQueue {
 public:
  /// The line, with its line break, that stands where `dropped` lines are missing.
  using GapLine = std::function<std::string(std::uint64_t dropped)>;
  explicit LogQueue(GapLine gap_line, LogQueueBounds bounds = {}) : gap_line_(std::move(gap_line)), bounds_(bounds) {}

  /// Takes a line with its line break, or drops and counts it. A line alone is taken whatever its size.
  void push(std::string line);

  /// What is to be written next, in the order of pushing; empty if nothing waits. Each batch is followed by written()
  /// or lost().
  struct Batch {
    std::string text;
    std::uint64_t lines = 0;    // pushed ones
    std::uint64_t missing = 0;  // those that the gap lines among them speak of
  };
  [[nodiscard]] Batch take();
  void written(const Batch& batch) { counters_.written += batch.lines; }
  /// The sink refused it: the next batch that has a line says so.
  void lost(const Batch& batch);

  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] const LogCounters& counters() const { return counters_; }

 private:
  struct Entry {
    std::uint64_t missing_before = 0;
    std::string line;
  };

  [[nodiscard]] bool is_full(std::size_t more_bytes) const;
  void add_gap(Batch& batch, std::uint64_t missing) const;

  const GapLine gap_line_;
  const LogQueueBounds bounds_;
  std::deque<Entry> entries_;
  std::size_t bytes_ = 0;
  std::uint64_t missing_ = 0;  // dropped after the last entry
  LogCounters counters_;
};

}  // namespace kaido::daemon
