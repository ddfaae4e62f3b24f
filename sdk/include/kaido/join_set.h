/// JoinSet<T>: a group of tasks, joined in the order in which they end.
///
///     kaido::JoinSet<int> set;
///     for (int i = 0; i < 10; ++i) set.spawn(work(i));
///     while (auto next = co_await set.join_next()) total += next->value();
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/result.h>
#include <kaido/task.h>

namespace kaido {

namespace detail {

class JoinSetState;

/// The part of a JoinSet that does not depend on T. Keeps JoinHandle references of tasks.
class JoinSetBase {
 public:
  JoinSetBase();
  JoinSetBase(JoinSetBase&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  JoinSetBase& operator=(JoinSetBase&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~JoinSetBase();

  void insert(TaskHeader& task);
  [[nodiscard]] std::size_t size() const noexcept;
  void abort_all() noexcept;
  void detach_all() noexcept;
  /// A finished task, taken out of the set with its reference; null if none has finished.
  [[nodiscard]] TaskHeader* take_finished() noexcept;
  /// True if a task is finished (then it is in `finished`) or the set is empty (then `finished` is null).
  bool poll_finished(Context& context, TaskHeader*& finished) noexcept;

 private:
  JoinSetState* state_;
};

}  // namespace detail

/// Threading: confined to one task or thread.
/// Lifetime: dropping it aborts every task in it, asynchronously.
/// Cancellation: join_next() is safe: a dropped await loses no result.
template <typename T>
class JoinSet {
 public:
  using value_type = T;
  class JoinNext;

  JoinSet() = default;
  JoinSet(JoinSet&&) noexcept = default;
  JoinSet& operator=(JoinSet&&) noexcept = default;

  /// Spawns on the current runtime, or on that of `handle`.
  AbortHandle spawn(Task<T> task) { return insert(detail::spawn_on(detail::current_core(), std::move(task))); }
  AbortHandle spawn(Task<T> task, const Handle& handle) { return insert(handle.spawn(std::move(task))); }
  template <detail::TaskFactory F>
  AbortHandle spawn(F factory) {
    return spawn(detail::run_factory(std::move(factory)));
  }
  template <typename F>
  AbortHandle spawn_blocking(F&& closure) {
    return insert(detail::spawn_blocking_on(detail::current_core(), std::forward<F>(closure)));
  }
  /// Takes over a task that is already running: a local one, or a remote call's handle.
  AbortHandle spawn(JoinHandle<T> handle) { return insert(std::move(handle)); }
  AbortHandle insert(JoinHandle<T> handle) {
    AbortHandle abort_handle = handle.abort_handle();
    if (auto* cell = handle.release()) base_.insert(*cell);
    return abort_handle;
  }

  /// Tasks not yet joined, finished ones included.
  [[nodiscard]] std::size_t len() const noexcept { return base_.size(); }
  [[nodiscard]] bool is_empty() const noexcept { return len() == 0; }

  /// Awaiting it gives the next task to finish, or nothing if the set is empty.
  [[nodiscard]] JoinNext join_next() noexcept { return JoinNext(base_); }
  /// The next finished task without waiting.
  [[nodiscard]] std::optional<Result<T>> try_join_next() { return take_result(base_.take_finished()); }
  /// All values in the order of completion. The first task that failed is thrown as ErrorException, and the rest aborted.
  [[nodiscard]] Task<std::vector<T>> join_all()
    requires(!std::is_void_v<T>)
  {
    return join_all_of(std::move(*this));
  }

  /// Asks every task to cancel; they stay in the set until they are joined.
  void abort_all() noexcept { base_.abort_all(); }
  /// Aborts all and waits until the last is gone; their results are discarded.
  [[nodiscard]] Task<void> shutdown() { return shut_down(this); }
  /// Forgets the tasks without aborting them.
  void detach_all() noexcept { base_.detach_all(); }

  class [[nodiscard]] JoinNext {
   public:
    explicit JoinNext(detail::JoinSetBase& base) noexcept : base_(&base) {}
    bool poll(detail::Context& context) {
      if (!context.may_proceed()) return false;
      if (!base_->poll_finished(context, finished_)) return false;
      context.spend();
      return true;
    }
    std::optional<Result<T>> take() { return take_result(std::exchange(finished_, nullptr)); }

   private:
    detail::JoinSetBase* base_;
    detail::TaskHeader* finished_ = nullptr;
  };

 private:
  static std::optional<Result<T>> take_result(detail::TaskHeader* finished) {
    if (finished == nullptr) return std::nullopt;
    JoinHandle<T> handle(static_cast<detail::JoinCell<T>&>(*finished));
    return handle.take();
  }
  static Task<std::vector<T>> join_all_of(JoinSet set) {
    std::vector<T> values;
    values.reserve(set.len());
    while (auto next = co_await set.join_next()) {
      if (!*next) throw ErrorException(std::move(*next).error());
      values.push_back(std::move(**next));
    }
    co_return values;
  }
  static Task<void> shut_down(JoinSet* set) {
    set->abort_all();
    // Not `while (co_await ...) {}`: g++ 12 loses the coroutine's parameters there.
    for (;;) {
      const auto next = co_await set->join_next();
      if (!next) co_return;
    }
  }

  detail::JoinSetBase base_;
};

}  // namespace kaido
