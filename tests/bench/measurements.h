/// Measurements of small workloads: each workload is measured for several subjects, round by round, and shown as a
/// table for people and JSON for programs. For benchmarks within one process; report.h is for those of whole
/// arrangements.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace kaido::bench {

/// Threading: confined to one thread.
class Measurements {
 public:
  /// `unit` of all values, e.g. "ns per operation".
  explicit Measurements(std::string unit) : unit_(std::move(unit)) {}

  /// One round's value. Workloads and subjects appear in the order of their first mention.
  void add(const std::string& workload, const std::string& subject, double value);
  /// A named ratio of two subjects on one workload: the median of the rounds' ratios. Left out if one was not measured.
  void add_ratio(const std::string& name, const std::string& workload, const std::string& subject,
                 const std::string& base);
  /// A line below the table and in the JSON: what was skipped, sizes and the like.
  void add_note(const std::string& name, const std::string& value);

  [[nodiscard]] std::map<std::string, double> ratios() const;
  [[nodiscard]] std::string table() const;
  [[nodiscard]] std::string json() const;

 private:
  struct Ratio {
    std::string name, workload, subject, base;
  };
  struct Cell {
    std::string workload, subject;
    std::vector<double> rounds;
  };
  [[nodiscard]] const Cell* find(const std::string& workload, const std::string& subject) const;

  std::string unit_;
  std::vector<std::string> workloads_;
  std::vector<std::string> subjects_;
  std::vector<Cell> cells_;
  std::vector<Ratio> ratios_;
  std::vector<std::pair<std::string, std::string>> notes_;
};

/// What every such benchmark accepts: --json FILE, --rounds R, --milliseconds M (per cell and round), --only TEXT
/// (workloads that contain it), --quick (one round, one millisecond: that it works, not what it measures).
struct MeasureOptions {
  std::string json;
  int rounds = 7;
  double milliseconds = 50;
  std::string only;
};

/// Throws std::runtime_error, which names what is known, for anything else.
[[nodiscard]] MeasureOptions parse_measure_options(int argc, char** argv);
/// Prints the table, and writes the JSON where it was asked for (relative to where `bazel run` was called).
void publish(const Measurements& measurements, const MeasureOptions& options);

}  // namespace kaido::bench
