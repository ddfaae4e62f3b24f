#include "sdk/runtime/standby.h"

#include <pthread.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {
namespace {

/// For how long all threads may be busy. Shorter costs more looks per second, longer delays cancellations and timers.
constexpr std::chrono::milliseconds kTick{1};
/// So many ticks without any use of the driver, and it sleeps until the next. Each such sleep costs its waker a system
/// call, each tick some microseconds.
constexpr int kQuietTicksMax = 20;

}  // namespace

StandBy::StandBy(RuntimeCore& core) : core_(core), shared_(core.shared_driver), thread_(0, [this] { run(); }) {}

void StandBy::stop() noexcept {
  if (std::exchange(is_joined_, true)) return;
  is_stopping_.store(true, std::memory_order_seq_cst);
  shared_.note_use();
  shared_.wake_standby();
  shared_.request_back();
  thread_.join();
}

bool StandBy::is_here() const noexcept { return pthread_equal(thread_.id(), pthread_self()) != 0; }

void StandBy::leave(std::unique_ptr<StandBy> standby, std::optional<std::chrono::nanoseconds> limit) noexcept {
  standby->is_joined_ = true;
  standby->thread_.detach();
  standby->left_ = CoreRef(&standby->core_);
  standby->limit_ = limit;
  standby->is_stopping_.store(true, std::memory_order_seq_cst);
  static_cast<void>(standby.release());  // run()'s now.
}

void StandBy::run() noexcept {
  watch();
  if (!left_) return;
  const std::unique_ptr<StandBy> self(this);
  const CoreRef core = std::move(left_);
  core->end(limit_);
}

void StandBy::watch() noexcept {
  const CoreScope scope(core_);
  thread_state.is_driving = true;  // A handler that would wait for the runtime's end is told so, as on its workers.
  while (!is_stopping_.load(std::memory_order_seq_cst)) {
    if (quiet_ticks_ >= kQuietTicksMax) {
      shared_.sleep_until_used(seen_);
      quiet_ticks_ = 0;
    }
    std::this_thread::sleep_for(kTick);
    look();
  }
  thread_state.is_driving = false;
}

void StandBy::look() noexcept {
  if (const std::uint32_t uses = shared_.uses(); uses != seen_) {
    seen_ = uses;
    quiet_ticks_ = 0;
    return;
  }
  std::unique_lock driver(shared_.holder, std::try_to_lock);
  if (!driver.owns_lock() || !core_.is_driven() || shared_.uses() != seen_) {
    ++quiet_ticks_;
    return;
  }
  quiet_ticks_ = 0;
  if (core_.options.flavor == RuntimeFlavor::kCurrentThread) {
    core_.hooks.serve_without_driver();
  } else {
    hold_driver(driver);
  }
}

void StandBy::hold_driver(std::unique_lock<std::mutex>& lock) noexcept {
  shared_.begin_holding();
  while (!shared_.is_wanted() && !is_stopping_.load(std::memory_order_seq_cst)) {
    // Never longer than a tick: who runs tasks may leave output behind and wakes nobody for it.
    core_.driver.run_handlers(kTick);
    core_.driver.poll();
    core_.hooks.end_of_turn();
  }
  shared_.end_holding(lock);
}

}  // namespace kaido::inline abi0::detail
