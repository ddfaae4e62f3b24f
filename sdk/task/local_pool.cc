#include <kaido/local_pool.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <kaido/detail/futex_lock.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>

namespace kaido::inline abi0 {

namespace detail {

namespace {

/// Awaited by the root of a worker's runtime.
///
/// Threading: thread-safe.
class StopSignal {
 public:
  void stop() noexcept {
    Waker woken;
    {
      std::scoped_lock guard(lock_);
      is_stopped_ = true;
      woken = std::move(waker_);
    }
    woken.wake();
  }
  bool poll(PollContext& context) {
    Waker replaced;
    std::scoped_lock guard(lock_);
    if (is_stopped_) return true;
    if (!context.will_wake(waker_)) replaced = std::exchange(waker_, context.waker());
    return false;
  }
  void take() noexcept {}

 private:
  FutexLock lock_;
  Waker waker_;
  bool is_stopped_ = false;
};

}  // namespace

/// Threading: `load` and `signal` are shared; `handle` is set before the worker is; `thread` belongs to the pool.
struct LocalPoolWorker {
  std::atomic<std::size_t> load = 0;
  std::optional<Handle> handle;
  StopSignal signal;
  std::thread thread;
};

namespace {

Task<void> run_until_stopped(LocalPoolWorker& worker) {
  co_await worker.signal;
  // Tasks that are ready go on while that ends some of them.
  for (std::size_t previous = worker.load + 1; worker.load < previous;) {
    previous = worker.load;
    co_await yield_now();
  }
}

void run_worker(const std::shared_ptr<LocalPoolWorker>& worker, std::promise<void> started) {
  auto runtime = RuntimeBuilder::new_current_thread().enable_all().build_local();
  if (!runtime) {
    started.set_exception(std::make_exception_ptr(ErrorException(runtime.error())));
    return;
  }
  worker->handle = runtime->handle();
  started.set_value();
  runtime->block_on(run_until_stopped(*worker));
}

}  // namespace

/// Threading: constant after construction.
class LocalPool {
 public:
  explicit LocalPool(std::size_t threads) {
    try {
      while (workers.size() < threads) start_worker();
    } catch (...) {
      stop();
      throw;
    }
  }
  LocalPool(const LocalPool&) = delete;
  LocalPool& operator=(const LocalPool&) = delete;
  ~LocalPool() { stop(); }

  std::vector<std::shared_ptr<LocalPoolWorker>> workers;

 private:
  void start_worker() {
    auto worker = std::make_shared<LocalPoolWorker>();
    std::promise<void> started;
    std::future<void> is_started = started.get_future();
    worker->thread =
        std::thread([worker, started = std::move(started)]() mutable { run_worker(worker, std::move(started)); });
    workers.push_back(worker);
    is_started.get();
  }
  void stop() noexcept {
    for (auto& worker : workers) worker->signal.stop();
    for (auto& worker : workers) {
      if (worker->thread.get_id() == std::this_thread::get_id()) {
        worker->thread.detach();
      } else {
        worker->thread.join();
      }
    }
  }
};

LocalPoolPlace::~LocalPoolPlace() {
  if (worker_) worker_->load.fetch_sub(1, std::memory_order_acq_rel);
}
const Handle& LocalPoolPlace::handle() const noexcept { return *worker_->handle; }

LocalPoolPlace choose_place(const LocalPool& pool) {
  for (;;) {
    const auto& least = *std::min_element(pool.workers.begin(), pool.workers.end(), [](const auto& a, const auto& b) {
      return a->load.load(std::memory_order_acquire) < b->load.load(std::memory_order_acquire);
    });
    // Taken only if nobody else has meanwhile; else another may be the least loaded now.
    std::size_t load = least->load.load(std::memory_order_acquire);
    const bool is_least = std::all_of(pool.workers.begin(), pool.workers.end(), [load](const auto& worker) {
      return worker->load.load(std::memory_order_acquire) >= load;
    });
    if (is_least && least->load.compare_exchange_strong(load, load + 1, std::memory_order_acq_rel)) {
      return LocalPoolPlace(least);
    }
  }
}

LocalPoolPlace place_at(const LocalPool& pool, std::size_t index) {
  if (index >= pool.workers.size()) {
    throw std::out_of_range("kaido: LocalPoolHandle has no thread " + std::to_string(index));
  }
  pool.workers[index]->load.fetch_add(1, std::memory_order_acq_rel);
  return LocalPoolPlace(pool.workers[index]);
}

}  // namespace detail

LocalPoolHandle::LocalPoolHandle(std::size_t threads) {
  if (threads == 0) throw std::invalid_argument("kaido: LocalPoolHandle needs at least one thread");
  pool_ = std::make_shared<const detail::LocalPool>(threads);
}

std::size_t LocalPoolHandle::num_threads() const noexcept { return pool_->workers.size(); }

std::vector<std::size_t> LocalPoolHandle::get_task_loads_for_each_worker() const {
  std::vector<std::size_t> loads;
  for (const auto& worker : pool_->workers) loads.push_back(worker->load.load(std::memory_order_acquire));
  return loads;
}

}  // namespace kaido::inline abi0
