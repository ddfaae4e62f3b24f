#include <stdexcept>

#include <kaido/spawn.h>
#include <kaido/time.h>

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0 {

namespace detail {

namespace {

RuntimeCore& core_with_timers() {
  RuntimeCore* const core = thread_state.core;
  if (core == nullptr) return current_core();  // Throws.
  if (!core->options.enable_time) {
    throw std::logic_error("kaido: timers are disabled on this runtime: build it with enable_time() or enable_all()");
  }
  return *core;
}

}  // namespace

Instant deadline_after(Duration duration) noexcept { return Clock::now() + duration; }

void require_timers() { static_cast<void>(core_with_timers()); }
Instant timer_deadline_after(Duration duration) { return core_with_timers().clock.now() + duration; }

Error timed_out_error() { return Error(ErrorKind::kTimedOut, "the deadline passed before it was done"); }

namespace {

RuntimeCore& pausable_core(bool must_be_paused) {
  RuntimeCore& core = current_core();
  if (core.options.flavor != RuntimeFlavor::kCurrentThread) {
    throw std::logic_error("kaido: only the clock of a current-thread runtime can be paused");
  }
  if (core.clock.is_paused() != must_be_paused) {
    throw std::logic_error(must_be_paused ? "kaido: the clock is not paused" : "kaido: the clock is paused already");
  }
  return core;
}

}  // namespace
}  // namespace detail

Clock::time_point Clock::now() noexcept {
  if (detail::RuntimeCore* core = detail::thread_state.core) return core->clock.now();
  return std::chrono::steady_clock::now();
}

void pause_clock() { detail::pausable_core(false).clock.pause(); }
void resume_clock() { detail::pausable_core(true).clock.resume(); }

Task<void> advance_clock(std::chrono::nanoseconds duration) {
  detail::RuntimeClock& clock = detail::pausable_core(true).clock;
  clock.advance_to(clock.now() + detail::saturate(duration));
  co_await yield_now();
}

Sleep::Sleep(Instant deadline) : core_(&detail::core_with_timers()), deadline_(deadline) {}

Sleep::Sleep(Sleep&& other) noexcept : core_(other.core_), deadline_(other.deadline_) {
  entry_.has_fired.store(other.is_elapsed(), std::memory_order_relaxed);
  if (!other.is_elapsed()) core_->driver.disarm(other.entry_);
}

Sleep::~Sleep() {
  if (!is_elapsed()) core_->driver.disarm(entry_);
}

void Sleep::reset(Instant deadline) noexcept {
  deadline_ = deadline;
  if (is_elapsed()) {
    entry_.has_fired.store(false, std::memory_order_relaxed);
  } else {
    core_->driver.rearm(entry_, deadline);
  }
}

bool Sleep::poll(PollContext& context) {
  if (!context.may_proceed()) return false;
  if (!poll_without_budget(context)) return false;
  context.spend();
  return true;
}

bool Sleep::poll_without_budget(PollContext& context) { return core_->driver.arm(entry_, deadline_, context); }

}  // namespace kaido::inline abi0
