#include <kaido/coop.h>

#include <atomic>
#include <stdexcept>

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0 {

namespace detail {

void count_exhausted_budget() noexcept {
  if (RuntimeCore* core = thread_state.core) core->forced_yields.fetch_add(1, std::memory_order_relaxed);
}

BudgetScope::BudgetScope(Budget* budget) noexcept : previous_(thread_state.budget) { thread_state.budget = budget; }
BudgetScope::~BudgetScope() { thread_state.budget = previous_; }

BlockInPlace::BlockInPlace() {
  ThreadState& state = thread_state;
  if (!state.is_driving) return;  // Outside a runtime, on a blocking thread, or nested: blocking harms nobody.
  const bool on_worker = state.local != nullptr && state.local->has_other_threads;
  if (state.is_in_local_set || (!on_worker && !state.may_block_in_place)) {
    throw std::logic_error("kaido: block_in_place: only a multi-thread runtime's tasks and roots can block in place");
  }
  if (on_worker && state.task == nullptr) {
    // A handler of Asio's, or a hook: the thread goes on with the worker as soon as it returns.
    throw std::logic_error(
        "kaido: block_in_place: not in a handler or hook on a worker; post a task, or spawn_blocking");
  }
  if (on_worker) gave_worker_ = state.local->give_away();
  left_ = true;
  may_block_ = state.may_block_in_place;
  budget_ = state.budget;
  state.is_driving = false;
  state.may_block_in_place = false;
  state.budget = nullptr;
}

BlockInPlace::~BlockInPlace() {
  if (!left_) return;
  ThreadState& state = thread_state;
  state.is_driving = true;
  state.may_block_in_place = may_block_;
  state.budget = budget_;
  if (gave_worker_) state.local->take_back();
}

}  // namespace detail

bool has_budget_remaining() noexcept {
  const detail::Budget* budget = detail::thread_state.budget;
  return budget == nullptr || !budget->exhausted();
}

}  // namespace kaido::inline abi0
