/// LocalPoolHandle: a fixed number of threads, each with a local runtime, for tasks that must stay on the thread on
/// which they are made.
///
///     kaido::LocalPoolHandle pool(4);
///     auto handle = pool.spawn_pinned([] { return draw(make_window()); });   // called and run there
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include <kaido/detail/temporary.h>
#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

class LocalPool;
struct LocalPoolWorker;

/// A task's place on a worker, counted in its load while it lives.
class LocalPoolPlace {
 public:
  /// Takes over what was already counted.
  explicit LocalPoolPlace(std::shared_ptr<LocalPoolWorker> worker) noexcept : worker_(std::move(worker)) {}
  LocalPoolPlace(LocalPoolPlace&&) noexcept = default;
  LocalPoolPlace& operator=(LocalPoolPlace&&) = delete;
  ~LocalPoolPlace();
  [[nodiscard]] const Handle& handle() const noexcept;

 private:
  std::shared_ptr<LocalPoolWorker> worker_;
};

/// The worker with the least to do.
[[nodiscard]] LocalPoolPlace choose_place(const LocalPool& pool);
/// Throws std::out_of_range.
[[nodiscard]] LocalPoolPlace place_at(const LocalPool& pool, std::size_t index);

// Parameters go after everything the coroutine awaits: the place is given back when the task's frame is gone.
template <typename F>
Task<FactoryValue<F>> run_pinned(LocalPoolPlace, F factory) {
  co_return co_await factory();
}

template <typename F>
JoinHandle<FactoryValue<F>> spawn_pinned(LocalPoolPlace place, F factory) {
  const Handle handle = place.handle();
  return handle.spawn(run_pinned(std::move(place), std::move(factory)));
}

}  // namespace detail

/// Copies are the same pool. The threads are local runtimes with everything enabled: spawn_local() works in their
/// tasks.
///
/// Threading: thread-safe.
/// Lifetime: when the last copy goes, the threads let what is ready run, destroy the tasks that still wait (their
/// handles are cancelled), and are joined; on a thread of the pool itself that one is left to end alone.
class LocalPoolHandle {
 public:
  /// Throws std::invalid_argument for no threads, std::system_error if they cannot be had.
  explicit LocalPoolHandle(std::size_t threads);

  /// Calls `factory` on the thread with the fewest tasks and runs the Task that it returns there; the factory moves to
  /// that thread and stays as long as the task. What the factory or the Task throws is for the handle. Aborting the
  /// handle destroys the Task, on its thread; dropping it does not.
  template <typename F>
    requires detail::TaskFactory<detail::Kept<F>>
  auto spawn_pinned(F&& factory) const {
    static_assert(detail::check_temporaries<F>());
    return detail::spawn_pinned<detail::Kept<F>>(detail::choose_place(*pool_),
                                                 detail::unmoved(std::forward<F>(factory)));
  }
  /// The same on a given thread. Throws std::out_of_range.
  template <typename F>
    requires detail::TaskFactory<detail::Kept<F>>
  auto spawn_pinned_by_idx(F&& factory, std::size_t index) const {
    static_assert(detail::check_temporaries<F>());
    return detail::spawn_pinned<detail::Kept<F>>(detail::place_at(*pool_, index),
                                                 detail::unmoved(std::forward<F>(factory)));
  }

  [[nodiscard]] std::size_t num_threads() const noexcept;
  /// How many tasks each thread has.
  [[nodiscard]] std::vector<std::size_t> get_task_loads_for_each_worker() const;

 private:
  std::shared_ptr<const detail::LocalPool> pool_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
