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
      if (blocking_threads_ >= core_.options.max_blocking_threads) return;
      ++blocking_threads_;
      try {
        start_thread([this] { serve(); });
      } catch (...) {
        // With other threads there the closure only waits longer.
        if (--blocking_threads_ == 0) {
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

void BlockingPool::spawn_worker(std::function<void()> body) {
  Lock lock(mutex_);
  start_thread(std::move(body));
}

void BlockingPool::start_thread(std::function<void()> body) {
  std::thread thread([core = CoreRef(&core_), body = std::move(body)]() mutable {
    pthread_setname_np(pthread_self(), core->options.thread_name.substr(0, 15).c_str());
    {
      CoreScope scope(*core);
      if (core->options.on_thread_start) core->options.on_thread_start();
      body();
      if (core->options.on_thread_stop) core->options.on_thread_stop();
      body = nullptr;
    }
    core->blocking.finish_thread();
  });
  const auto id = thread.get_id();
  threads_.emplace(id, std::move(thread));
}

void BlockingPool::serve() {
  Lock lock(mutex_);
  do {
    run_queued(lock);
  } while (wait_for_work(lock));
  --blocking_threads_;
}

void BlockingPool::run_queued(Lock& lock) {
  // Also after shutdown: a busy thread finishes what is queued, as in tokio.
  while (TaskHeader* task = queue_.pop()) {
    ++running_;
    lock.unlock();
    Budget budget;
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
  auto found = threads_.find(std::this_thread::get_id());
  if (found == threads_.end()) return;  // Left behind by a shutdown with a limit.
  ended_threads_.push_back(std::move(found->second));
  threads_.erase(found);
  ended_.notify_all();
}

void BlockingPool::join_ended(Lock& lock) noexcept {
  if (ended_threads_.empty()) return;
  std::vector<std::thread> ended = std::exchange(ended_threads_, {});
  lock.unlock();
  for (std::thread& thread : ended) thread.join();
  lock.lock();
}

bool BlockingPool::is_idle() noexcept {
  Lock lock(mutex_);
  return queue_.empty() && running_ == 0;
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
