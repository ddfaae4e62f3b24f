/// The thread that writes the log: whoever logs hands a line over and goes on, however slow the sink is.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "daemon/telemetry/log_queue.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// How long the end of the process may wait for a sink that does not take what is queued.
inline constexpr base::Duration kLogFlushTimeMax = std::chrono::seconds(1);

/// Threading: thread-safe; the lock is held for memory operations alone, never while the sink is written to.
/// Lifetime: the destructor writes out what is queued, within `flush_time_max`. A sink that still blocks then keeps its
/// thread, which is let go: it owns all it needs, and ends with the process or the write it is in.
class LogWriter {
 public:
  /// `descriptor` stays open for as long as the process writes; it may block or not.
  LogWriter(int descriptor, LogQueue queue, base::Duration flush_time_max = kLogFlushTimeMax);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// Never waits for the sink.
  void push(std::string line);
  [[nodiscard]] LogCounters counters() const;

 private:
  struct Shared;
  static void run(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Shared> shared_;
  const base::Duration flush_time_max_;
  std::thread thread_;
};

}  // namespace kaido::daemon
