#include "sdk/runtime/thread_state.h"

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/scheduler.h"

namespace kaido::inline abi0::detail {

namespace {

// How many references a thread takes at a time; it keeps up to twice as many.
constexpr std::size_t kReferencesAtATime = 64;

LocalScheduler* stock_of(const Scheduler& scheduler) noexcept {
  LocalScheduler* const local = thread_state.local;
  return local != nullptr && static_cast<const Scheduler*>(&local->core) == &scheduler ? local : nullptr;
}

}  // namespace

void add_scheduler_ref(Scheduler& scheduler) noexcept {
  LocalScheduler* const local = stock_of(scheduler);
  if (local == nullptr) {
    scheduler.add_ref();
    return;
  }
  if (local->spare_references == 0) {
    scheduler.add_ref(kReferencesAtATime);
    local->spare_references = kReferencesAtATime;
  }
  --local->spare_references;
}

void drop_scheduler_ref(Scheduler& scheduler) noexcept {
  LocalScheduler* const local = stock_of(scheduler);
  if (local == nullptr) {
    scheduler.drop_ref();
  } else if (++local->spare_references == 2 * kReferencesAtATime) {
    local->spare_references = kReferencesAtATime;
    scheduler.drop_ref(kReferencesAtATime);
  }
}

void drop_spare_references(LocalScheduler& local) noexcept {
  if (const std::size_t count = std::exchange(local.spare_references, 0); count != 0) local.core.drop_ref(count);
}

void LocalScheduler::wake_deferred() noexcept {
  while (!deferred.empty()) {
    Deferred last = std::move(deferred.back());
    deferred.pop_back();
    if (last.task != nullptr) {
      core.schedule(*last.task);
    } else {
      last.waker.wake();
    }
  }
}

void LocalScheduler::refuse_deferred() noexcept {
  while (!deferred.empty()) {
    Deferred last = std::move(deferred.back());
    deferred.pop_back();
    if (last.task != nullptr) {
      last.task->refuse();
    } else {
      last.waker.wake();  // Of a set of tasks that may be driven elsewhere.
    }
  }
}

}  // namespace kaido::inline abi0::detail
