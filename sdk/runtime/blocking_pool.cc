#include "sdk/runtime/blocking_pool.h"

#include <pthread.h>

#include <utility>

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::detail {

void BlockingPool::spawn(TaskHeader& task) {
  {
    Lock lock(mutex_);
    join_ended(lock);
    if (!is_closed_) {
      queue_.push(task);
      if (idle_threads_ > 0) {
        --idle_threads_;
        ++wakes_;
        work_.notify_one();
        return;
      }
      if (thread_count_ >= core_.options.max_blocking_threads + core_.workers_in_pool()) return;
      try {
        start_thread();
      } catch (...) {
        // With other threads there the closure only waits longer.
        if (thread_count_ == core_.workers_in_pool()) {
          static_cast<void>(queue_.pop());
          lock.unlock();
          task.shut_down();
          throw;
        }
      }
      return;
    }
  }
  task.shut_down();
}

void BlockingPool::spawn_on_new_thread(TaskHeader& task) {
  Lock lock(mutex_);
  queue_.push(task);
  try {
    start_thread();
  } catch (...) {
    static_cast<void>(queue_.pop());
    lock.unlock();
    task.shut_down();
    throw;
  }
}

// Under the lock, so that the thread cannot end before it is in the table.
void BlockingPool::start_thread() {
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
  threads_.emplace(thread.id(), thread);
}

void BlockingPool::serve() {
  Lock lock(mutex_);
  do {
    run_queued(lock);
  } while (wait_for_work(lock));
  --thread_count_;
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
  const auto until = std::chrono::steady_clock::now() + core_.options.thread_keep_alive;
  for (;;) {
    const bool timed_out = work_.wait_until(lock, until) == std::cv_status::timeout;
    if (wakes_ > 0) {  // Who told us has counted us as no longer idle.
      --wakes_;
      if (!is_closed_) return true;
      ++idle_threads_;
    }
    if (is_closed_) {
      --idle_threads_;
      while (TaskHeader* task = queue_.pop()) {
        lock.unlock();
        task->shut_down();
        lock.lock();
      }
      return false;
    }
    if (timed_out) {
      --idle_threads_;
      return false;
    }
  }
}

void BlockingPool::finish_thread() noexcept {
  Lock lock(mutex_);
  auto found = threads_.find(pthread_self());
  if (found == threads_.end()) return;  // Left behind by a shutdown with a limit.
  ended_threads_.push_back(found->second);
  threads_.erase(found);
  ended_.notify_all();
}

void BlockingPool::join_ended(Lock& lock) noexcept {
  if (ended_threads_.empty()) return;
  std::vector<OsThread> ended = std::exchange(ended_threads_, {});
  lock.unlock();
  for (OsThread& thread : ended) thread.join();
  lock.lock();
}

bool BlockingPool::is_idle() noexcept {
  Lock lock(mutex_);
  return queue_.empty() && running_ == 0;
}

std::size_t BlockingPool::threads() noexcept {
  Lock lock(mutex_);
  return thread_count_;
}

std::size_t BlockingPool::idle_threads() noexcept {
  Lock lock(mutex_);
  return idle_threads_;
}

std::size_t BlockingPool::queued() noexcept {
  Lock lock(mutex_);
  return queue_.size();
}

bool BlockingPool::shut_down(std::optional<std::chrono::nanoseconds> limit) noexcept {
  Lock lock(mutex_);
  is_closed_ = true;
  work_.notify_all();
  bool all_ended = true;
  if (limit) {
    all_ended = ended_.wait_for(lock, *limit, [this] { return threads_.empty(); });
  } else {
    ended_.wait(lock, [this] { return threads_.empty(); });
  }
  auto left = std::exchange(threads_, {});
  for (auto& [id, thread] : left) thread.detach();
  join_ended(lock);
  return all_ended;
}

}  // namespace kaido::detail
