/// tokio as a child process that runs the same workloads, where it can be built.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tests/bench/process.h"

namespace kaido::bench {

class Tokio {
 public:
  /// One that measures nothing, and why.
  explicit Tokio(std::string why) : why_(std::move(why)) {}
  /// Builds tests/bench/tokio with cargo in a folder of the user's cache. Where that cannot be done, why() says so.
  [[nodiscard]] static Tokio build(const std::string& manifest_folder);

  [[nodiscard]] const std::string& why() const noexcept { return why_; }
  /// Nanoseconds of one operation; nothing for a workload that it does not have.
  [[nodiscard]] std::optional<double> measure(const std::string& workload, double milliseconds);

 private:
  std::unique_ptr<Process> process_;
  std::string why_;
};

}  // namespace kaido::bench
