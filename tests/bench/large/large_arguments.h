/// Large arguments in all arrangements: time and CPU a call, peak memory, and small calls beside large ones.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/measurements.h"
#include "tests/bench/process.h"
#include "tests/bench/report.h"
#include "tests/bench/subject.h"

namespace kaido::bench {

/// Subjects are started when it is constructed, and kept; those for peak memory when they are measured, since memory
/// that a process has had is not always given back.
class LargeArguments {
 public:
  /// Only those whose names contain `only`.
  LargeArguments(const TemporaryFolder& folder, std::string only);

  /// One round: every size and subject once, each for this long and for one call at least.
  void measure_round(int milliseconds);
  /// Once, after the rounds.
  void measure_memory(int milliseconds);

  /// Adds what was measured to the report.
  void add_to(Report& report) const;

 private:
  [[nodiscard]] bool is_wanted(const std::string& name) const { return name.find(only_) != std::string::npos; }
  void measure_times(Subject& subject, int milliseconds);
  void measure_beside(int milliseconds);
  void measure_memory_of(Subject& subject, const std::vector<std::string>& rows, int milliseconds);

  const TemporaryFolder& folder_;
  const std::string only_;
  std::vector<std::unique_ptr<Subject>> subjects_;
  std::unique_ptr<Subject> beside_;  ///< its first client makes small calls, its second one large ones
  Measurements times_{"ms a call, and ms of CPU of all processes"};
  Measurements beside_latency_{"us a small call, one in flight"};
  Measurements memory_{"MiB at the peak above what the process had before"};
};

}  // namespace kaido::bench
