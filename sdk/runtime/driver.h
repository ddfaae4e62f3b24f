/// Driver: waits for sockets (Asio) and timers (the wheel) on behalf of a scheduler.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include <kaido/detail/futex_lock.h>
#include <kaido/detail/timer_entry.h>
#include <kaido/time.h>

#include "sdk/time/clock.h"
#include "sdk/time/wheel.h"

namespace boost::asio {
class execution_context;
class io_context;
}  // namespace boost::asio

namespace kaido::inline abi0::detail {

/// Who waits for a socket of the driver's; told when the driver ends. See sdk/net.
class IoWaiters {
 public:
  IoWaiters() = default;
  IoWaiters(const IoWaiters&) = delete;
  IoWaiters& operator=(const IoWaiters&) = delete;
  virtual void take_wakers(std::vector<Waker>& into) = 0;

  IoWaiters* previous = nullptr;  // The driver's.
  IoWaiters* next = nullptr;      // The same.

 protected:
  ~IoWaiters() = default;
};

/// Threading: arm, disarm, unpark and io_context from any thread. park and poll by one thread at a time: the
/// current-thread scheduler's, or the worker that holds the driver. Errors: an exception that leaves an Asio handler
/// ends the process.
class Driver {
 public:
  explicit Driver(RuntimeClock& clock);
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver();

  [[nodiscard]] boost::asio::io_context& io_context() noexcept;

  /// Waits until a handler has run, a timer is due or unpark() was called; then runs every other handler that is ready,
  /// and wakes what is due. With a paused clock: jumps to the next timer instead of waiting, if `may_advance`.
  void park(bool may_advance) noexcept;
  /// The same without waiting.
  void poll() noexcept;
  /// Runs handlers only: waits at most `limit` for one, or for unpark(), and runs what else is ready.
  void run_handlers(Duration limit) noexcept;
  /// Ends a park() under way, or the next one.
  void unpark() noexcept;

  /// Links the entry unless it is linked already, and leaves the context's waker in it; true if it is due.
  bool arm(TimerEntry& entry, Instant deadline, PollContext& context);
  void disarm(TimerEntry& entry) noexcept;
  /// A linked entry gets another deadline and keeps its waker, which is woken at once if that is due. Others have not
  /// fired afterwards, whatever happened meanwhile, and can be armed again.
  void rearm(TimerEntry& entry, Instant deadline) noexcept;

  void add(IoWaiters& waiters) noexcept;
  void remove(IoWaiters& waiters) noexcept;

  /// From now on arm() throws; wakes everything that waits.
  void shut_down() noexcept;
  [[nodiscard]] bool is_shut_down() const noexcept { return is_shut_down_.load(std::memory_order_acquire); }

 private:
  struct Io;
  using Tick = TimerWheel::Tick;
  static constexpr Tick kNever = ~Tick{0};

  [[nodiscard]] Tick tick_at_or_after(Instant instant) const noexcept;
  [[nodiscard]] Tick present_tick() const noexcept;
  [[nodiscard]] Instant instant_of(Tick tick) const noexcept { return start_ + std::chrono::milliseconds(tick); }
  void wait(Tick until, bool may_advance) noexcept;
  void fire(Tick now) noexcept;
  [[nodiscard]] bool link(TimerEntry& entry, Instant deadline) noexcept;

  RuntimeClock& clock_;
  const Instant start_;
  std::unique_ptr<Io> io_;

  FutexLock lock_;
  TimerWheel wheel_;                        // Under lock_.
  Tick parked_until_ = 0;                   // Under lock_: a timer before it must end the wait; 0 while nobody waits.
  std::atomic<bool> is_shut_down_ = false;  // Written under lock_.
  std::mutex io_mutex_;
  IoWaiters* first_io_ = nullptr;  // Under io_mutex_.
};

/// The driver's io_context, for who does not include Asio.
[[nodiscard]] boost::asio::execution_context& execution_context_of(Driver& driver) noexcept;

}  // namespace kaido::inline abi0::detail
