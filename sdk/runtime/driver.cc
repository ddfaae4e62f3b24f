#include "sdk/runtime/driver.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <stdexcept>
#include <utility>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <kaido/detail/io.h>

#include "sdk/runtime/runtime_core.h"

namespace kaido::inline abi0::detail {

struct Driver::Io {
  // Hint 1: one thread runs it at a time; other threads may still post.
  boost::asio::io_context context{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{context.get_executor()};
};

Driver::Driver(RuntimeClock& clock) : clock_(clock), start_(clock.now()), io_(std::make_unique<Io>()) {}

Driver::~Driver() = default;

boost::asio::io_context& Driver::io_context() noexcept { return io_->context; }

Driver::Tick Driver::tick_at_or_after(Instant instant) const noexcept {
  if (instant <= start_) return 0;
  return static_cast<Tick>(std::chrono::ceil<std::chrono::milliseconds>(instant - start_).count());
}

Driver::Tick Driver::present_tick() const noexcept {
  return static_cast<Tick>(std::chrono::floor<std::chrono::milliseconds>(clock_.now() - start_).count());
}

void Driver::park(bool may_advance) noexcept {
  Tick until = kNever;
  {
    std::scoped_lock lock(lock_);
    until = wheel_.next_expiration().value_or(kNever);
    parked_until_ = until;
  }
  wait(until, may_advance);
  {
    std::scoped_lock lock(lock_);
    parked_until_ = 0;
  }
  fire(present_tick());
}

void Driver::wait(Tick until, bool may_advance) noexcept {
  auto& context = io_->context;
  std::size_t handlers = 0;
  if (clock_.is_paused()) {
    handlers = context.poll();
    if (handlers != 0) return;
    if (until != kNever && may_advance) {
      clock_.advance_to(instant_of(until));
      return;
    }
    handlers = context.run_one();
  } else if (until == kNever) {
    handlers = context.run_one();
  } else {
    const auto remaining = instant_of(until) - clock_.now();
    handlers = remaining > Duration::zero() ? context.run_one_for(remaining) : context.poll_one();
  }
  // One system call for the wait; another only if something happened, to run what else is ready in the same turn.
  if (handlers != 0) context.poll();
}

void Driver::poll() noexcept {
  io_->context.poll();
  fire(present_tick());
}

void Driver::run_handlers(Duration limit) noexcept {
  auto& context = io_->context;
  if (limit <= Duration::zero() || context.run_one_for(limit) != 0) context.poll();
}

void Driver::unpark() noexcept {
  boost::asio::post(io_->context, [] {});
}

bool Driver::arm(TimerEntry& entry, Instant deadline, PollContext& context) {
  bool ends_wait = false;
  Waker replaced;  // Dropped after the lock, here and below: that may run foreign code.
  {
    std::scoped_lock lock(lock_);
    if (is_shut_down()) throw std::runtime_error("kaido: a timer was awaited while its runtime is being shut down");
    if (entry.has_fired.load(std::memory_order_acquire)) return true;
    if (!entry.is_linked) {
      if (!link(entry, deadline)) return true;
      ends_wait = entry.deadline_tick < parked_until_;
    }
    if (!context.will_wake(entry.waker)) replaced = std::exchange(entry.waker, context.waker());
  }
  if (ends_wait) unpark();
  return false;
}

// False if it is due, and marked so.
bool Driver::link(TimerEntry& entry, Instant deadline) noexcept {
  entry.deadline_tick = tick_at_or_after(deadline);
  if (entry.deadline_tick > present_tick() && wheel_.insert(entry)) return true;
  entry.has_fired.store(true, std::memory_order_release);
  return false;
}

void Driver::rearm(TimerEntry& entry, Instant deadline) noexcept {
  if (entry.deadline_tick == 0) return;  // As in disarm().
  bool ends_wait = false;
  Waker woken;
  {
    std::scoped_lock lock(lock_);
    if (!entry.is_linked) {
      // It fired since its owner looked, or never waited: the task that this wakes arms it for the new time.
      entry.has_fired.store(false, std::memory_order_relaxed);
      return;
    }
    wheel_.remove(entry);
    if (link(entry, deadline)) {
      ends_wait = entry.deadline_tick < parked_until_;
    } else {
      woken = std::move(entry.waker);
    }
  }
  woken.wake();
  if (ends_wait) unpark();
}

void Driver::disarm(TimerEntry& entry) noexcept {
  // Never armed: most timers of timeouts. Only its owner, who calls this, writes the tick, and a linked one has a
  // future tick.
  if (entry.deadline_tick == 0) return;
  Waker dropped;
  std::scoped_lock lock(lock_);
  if (entry.is_linked) wheel_.remove(entry);
  dropped = std::move(entry.waker);
}

void Driver::fire(Tick now) noexcept {
  constexpr std::size_t kBatch = 32;
  std::array<Waker, kBatch> wakers;
  bool more = true;
  while (more) {
    std::size_t count = 0;
    {
      std::scoped_lock lock(lock_);
      while (count < kBatch) {
        TimerEntry* entry = wheel_.expire(now);
        if (entry == nullptr) break;
        wakers[count++] = std::move(entry->waker);
        entry->has_fired.store(true, std::memory_order_release);  // From here on it is its owner's alone.
      }
      more = count == kBatch;
    }
    // Outside the lock: a wake may run the code of another runtime's scheduler.
    for (std::size_t index = 0; index < count; ++index) wakers[index].wake();
  }
}

void Driver::shut_down() noexcept {
  {
    std::scoped_lock lock(lock_);
    is_shut_down_.store(true, std::memory_order_release);
  }
  fire(kNever - 1);
  std::vector<Waker> wakers;
  {
    std::scoped_lock lock(io_mutex_);
    for (IoWaiters* waiters = first_io_; waiters != nullptr; waiters = waiters->next) waiters->take_wakers(wakers);
  }
  // Tasks of other runtimes; this one's are gone.
  for (Waker& waker : wakers) waker.wake();
}

void Driver::add(IoWaiters& waiters) noexcept {
  std::scoped_lock lock(io_mutex_);
  waiters.next = first_io_;
  if (first_io_ != nullptr) first_io_->previous = &waiters;
  first_io_ = &waiters;
}

void Driver::remove(IoWaiters& waiters) noexcept {
  std::scoped_lock lock(io_mutex_);
  (waiters.previous != nullptr ? waiters.previous->next : first_io_) = waiters.next;
  if (waiters.next != nullptr) waiters.next->previous = waiters.previous;
}

boost::asio::execution_context& execution_context_of(Driver& driver) noexcept { return driver.io_context(); }

boost::asio::io_context& io_context(const Handle& handle) noexcept { return handle.core()->driver.io_context(); }

}  // namespace kaido::inline abi0::detail
