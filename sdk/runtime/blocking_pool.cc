#include "sdk/runtime/blocking_pool.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include <kaido/time.h>

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {

void BlockingPool::spawn(TaskHeader& task) {
  Lock lock(lock_);
  join_ended(lock);
  if (is_closed_) {
    lock.unlock();
    task.shut_down();
    return;
  }
  if (idle_threads_ > 0) {
    queue_.push(task);
    --idle_threads_;
    ++wakes_;
    work_.note();
    lock.unlock();  // First: who is woken needs it.
    work_.wake_one();
    return;
  }
  if (may_start_thread()) {
    try {
      start_thread();
    } catch (...) {
      // With other threads there the closure only waits longer.
      if (thread_count_ <= core_.workers_in_pool()) {
        lock.unlock();
        task.shut_down();
        throw;
      }
    }
  }
  queue_.push(task);
}

// Without the sum of both, which need not fit.
bool BlockingPool::may_start_thread() const noexcept {
  const std::size_t workers = core_.workers_in_pool();
  return thread_count_ < workers || thread_count_ - workers < core_.options.max_blocking_threads;
}

void BlockingPool::spawn_on_new_thread(TaskHeader& task) {
  Lock lock(lock_);
  try {
    start_thread();
  } catch (...) {
    lock.unlock();
    task.shut_down();
    throw;
  }
  queue_.push(task);
}

// Under the lock, so that the thread takes nothing and cannot end before it is in the table. Room is made there first:
// a thread that runs and is not known would never be waited for.
void BlockingPool::start_thread() {
  threads_.reserve(threads_.size() + 1);
  OsThread thread(core_.options.thread_stack_size, [core = CoreRef(&core_)] {
    const std::string name = core->options.thread_name ? core->options.thread_name() : "kaido-worker";
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    {
      CoreScope scope(*core);
      if (core->options.on_thread_start) core->options.on_thread_start();
      core->blocking.serve();
      if (core->options.on_thread_stop) core->options.on_thread_stop();
    }
    core->blocking.finish_thread();
  });
  ++thread_count_;
  threads_.push_back({thread});
}

void BlockingPool::serve() {
  Lock lock(lock_);
  do {
    run_queued(lock);
  } while (wait_for_work(lock));
  const bool is_last = --thread_count_ == 0;
  lock.unlock();
  if (is_last) core_.drain_after_workers();
}

void BlockingPool::run_queued(Lock& lock) {
  // Also after shutdown: a busy thread finishes what is queued, as in tokio.
  while (TaskHeader* task = queue_.pop()) {
    ++running_;
    lock.unlock();
    Budget budget = Budget::unconstrained();
    task->run(budget);
    lock.lock();
    --running_;
    // A paused clock waits for closures.
    if (core_.clock.is_paused()) core_.driver.unpark();
  }
}

bool BlockingPool::wait_for_work(Lock& lock) {
  if (is_closed_) return false;
  ++idle_threads_;
  const auto until = std::chrono::steady_clock::now() + saturate(core_.options.thread_keep_alive);
  for (;;) {
    const bool timed_out = !work_.wait_until(lock, until);
    if (wakes_ > 0) {  // Who told us has counted us as no longer idle.
      --wakes_;
      if (!is_closed_) return true;
      ++idle_threads_;
    }
    if (is_closed_) {
      --idle_threads_;
      cancel_queued(lock);
      return false;
    }
    if (timed_out) {
      --idle_threads_;
      return false;
    }
  }
}

void BlockingPool::finish_thread() noexcept {
  Lock lock(lock_);
  for (Thread& entry : threads_) {
    if (entry.has_ended || pthread_equal(entry.thread.id(), pthread_self()) == 0) continue;
    entry.has_ended = true;
    ++ended_threads_;
  }
  // Not in the table: left behind by a shutdown.
  ended_.note();
  lock.unlock();
  ended_.wake_all();
}

void BlockingPool::join_ended(Lock& lock) noexcept {
  while (ended_threads_ != 0) {
    const auto ended = std::ranges::find_if(threads_, &Thread::has_ended);
    OsThread thread = ended->thread;
    threads_.erase(ended);
    --ended_threads_;
    lock.unlock();
    thread.join();
    lock.lock();
  }
}

// What was queued when no thread could be had, and none is left to run.
void BlockingPool::cancel_queued(Lock& lock) noexcept {
  while (TaskHeader* task = queue_.pop()) {
    lock.unlock();
    task->shut_down();
    lock.lock();
  }
}

bool BlockingPool::have_others_ended() const noexcept {
  return std::ranges::all_of(threads_, [](const Thread& entry) {
    return entry.has_ended || pthread_equal(entry.thread.id(), pthread_self()) != 0;
  });
}

bool BlockingPool::is_idle() noexcept {
  Lock lock(lock_);
  return queue_.empty() && running_ == 0;
}

std::size_t BlockingPool::threads() noexcept {
  Lock lock(lock_);
  return thread_count_;
}

std::size_t BlockingPool::idle_threads() noexcept {
  Lock lock(lock_);
  return idle_threads_;
}

std::size_t BlockingPool::queued() noexcept {
  Lock lock(lock_);
  return queue_.size();
}

bool BlockingPool::shut_down(std::optional<std::chrono::nanoseconds> limit) noexcept {
  Lock lock(lock_);
  is_closed_ = true;
  work_.note();
  work_.wake_all();
  // The calling thread may be one of them: the last Runtime can go in a closure of its own.
  const auto until = limit ? deadline_after(saturate(*limit)) : FutexCondition::TimePoint();
  bool is_in_time = true;
  while (!have_others_ended() && is_in_time) {
    if (limit) {
      is_in_time = ended_.wait_until(lock, until);
    } else {
      ended_.wait(lock);
    }
  }
  const bool all_ended = have_others_ended();
  std::erase_if(threads_, [](Thread& entry) {
    if (!entry.has_ended) entry.thread.detach();
    return !entry.has_ended;
  });
  if (all_ended && thread_count_ == 0) cancel_queued(lock);
  join_ended(lock);
  return all_ended;
}

}  // namespace kaido::inline abi0::detail
