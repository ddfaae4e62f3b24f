/// StandBy: a thread that looks after sockets and timers while every thread that runs tasks is busy.
///
/// A plain function that computes keeps its thread until it returns. Were all threads kept so, nobody would wait in the
/// driver: no cancellation would arrive, no timer fire, no ping be answered. As Go's monitor does, this thread looks
/// once a millisecond whether anybody has used the driver since. If nobody has, it takes the driver over until one
/// wants it back. While somebody waits in the driver nothing goes through this thread; when nothing happens for a while
/// it sleeps.
///
/// A current-thread runtime's handlers belong to its one thread, so there only those are served that have asked for it
/// (TurnHook::serve_without_driver): the connection to the node.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include <kaido/handle.h>

#include "sdk/runtime/os_thread.h"
#include "sdk/runtime/shared_driver.h"

namespace kaido::inline abi0::detail {

class RuntimeCore;

/// Threading: stop() and the destructor from any thread but its own, which takes leave().
/// Lifetime: stop() before the scheduler ends.
class StandBy {
 public:
  /// Throws std::system_error.
  explicit StandBy(RuntimeCore& core);
  StandBy(const StandBy&) = delete;
  StandBy& operator=(const StandBy&) = delete;
  ~StandBy() { stop(); }

  void stop() noexcept;

  /// Whether this is its thread: in a handler or timer that it runs.
  [[nodiscard]] bool is_here() const noexcept;
  /// On its own thread, which cannot wait for itself: it ends when its caller has returned, and shuts the runtime down
  /// within `limit` after that. By then it has given the driver back, as stop() sees to on other threads.
  static void leave(std::unique_ptr<StandBy> standby, std::optional<std::chrono::nanoseconds> limit) noexcept;

 private:
  void run() noexcept;
  void watch() noexcept;
  void look() noexcept;
  void hold_driver(std::unique_lock<std::mutex>& lock) noexcept;

  RuntimeCore& core_;
  SharedDriver& shared_;
  std::atomic<bool> is_stopping_ = false;
  bool is_joined_ = false;  // Of the thread that stops it.
  std::uint32_t seen_ = 0;  // Of its own thread, as the next one.
  int quiet_ticks_ = 0;
  CoreRef left_;  // Set by leave(), as the next one: then the thread owns this object, and a share of the runtime.
  std::optional<std::chrono::nanoseconds> limit_;
  OsThread thread_;  // Last: it runs at once.
};

}  // namespace kaido::inline abi0::detail
