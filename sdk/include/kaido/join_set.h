/// JoinSet<T>: a group of tasks, joined in the order in which they end.
///
///     kaido::JoinSet<int> set;
///     for (int i = 0; i < 10; ++i) set.spawn(work(i));
///     while (auto next = co_await set.join_next()) total += next->value();
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/result.h>
#include <kaido/source_location.h>
#include <kaido/spawn.h>
#include <kaido/task.h>
#include <kaido/task_id.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

class JoinSetState;

/// The part of a JoinSet that does not depend on T. Keeps JoinHandle references of tasks.
class JoinSetBase {
 public:
  JoinSetBase();
  JoinSetBase(JoinSetBase&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  JoinSetBase& operator=(JoinSetBase&& other) noexcept {
    JoinSetBase dropped(std::move(*this));
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
  bool poll_finished(PollContext& context, TaskHeader*& finished) noexcept;

 private:
  JoinSetState* state_;
};

/// Waits for the next finished task of a set: what join_next() awaits.
class JoinFinished {
 public:
  explicit JoinFinished(JoinSetBase& base) noexcept : base_(&base) {}
  JoinFinished(JoinFinished&& other) noexcept
      : base_(other.base_), finished_(std::exchange(other.finished_, nullptr)) {}
  JoinFinished& operator=(JoinFinished&&) = delete;
  // Ready, but never taken: the result is dropped with it.
  ~JoinFinished() {
    if (finished_ != nullptr) finished_->detach();
  }

  bool poll(PollContext& context) {
    if (finished_ != nullptr) return true;
    if (!context.may_proceed()) return false;
    if (!base_->poll_finished(context, finished_)) return false;
    context.spend();
    return true;
  }

 protected:
  [[nodiscard]] TaskHeader* release() noexcept { return std::exchange(finished_, nullptr); }

 private:
  JoinSetBase* base_;
  TaskHeader* finished_ = nullptr;
};

}  // namespace detail

/// Threading: confined to one task or thread.
/// Lifetime: dropping it aborts every task in it, asynchronously.
/// Cancellation: join_next() and join_next_with_id() are safe: a dropped await loses no result. shutdown() is safe: the
/// tasks are aborted, those not joined yet stay in the set. join_all() owns the set: dropping it aborts the rest, and
/// loses the values so far.
template <typename T>
class JoinSet {
 public:
  using value_type = T;
  using WithId = std::pair<TaskId, Result<T>>;
  class JoinNext;
  class JoinNextWithId;

  JoinSet() = default;
  JoinSet(JoinSet&&) noexcept = default;
  JoinSet& operator=(JoinSet&&) noexcept = default;

  /// Spawns on the current runtime; takes what kaido::spawn takes.
  AbortHandle spawn(Task<T> task, SourceLocation location = SourceLocation::current()) {
    return insert(kaido::spawn(std::move(task), location));
  }
  template <detail::TaskFactory F>
  AbortHandle spawn(F factory, SourceLocation location = SourceLocation::current()) {
    return insert(kaido::spawn(detail::give(factory), location));
  }
  template <detail::SpawnablePollable A>
    requires(!std::convertible_to<A, JoinHandle<T>>)
  AbortHandle spawn(A awaitable, SourceLocation location = SourceLocation::current()) {
    return insert(kaido::spawn(detail::give(awaitable), location));
  }
  /// Takes over a task that is already running: a local one, or a remote call's handle.
  AbortHandle spawn(JoinHandle<T> handle) { return insert(std::move(handle)); }
  AbortHandle insert(JoinHandle<T> handle) {
    AbortHandle abort_handle = handle.abort_handle();
    if (auto* cell = handle.release()) base_.insert(*cell);
    return abort_handle;
  }
  /// On the runtime of `handle`.
  AbortHandle spawn(Task<T> task, const Handle& handle) { return insert(handle.spawn(std::move(task))); }
  template <typename W>
  AbortHandle spawn_on(W work, const Handle& handle) {
    return insert(handle.spawn(detail::to_task(std::move(work))));
  }
  /// As kaido::spawn_local, and on a LocalSet.
  template <typename W>
  AbortHandle spawn_local(W work, SourceLocation location = SourceLocation::current()) {
    return insert(kaido::spawn_local(detail::give(work), location));
  }
  template <typename W, typename Set>
  AbortHandle spawn_local_on(W work, const Set& local_set, SourceLocation location = SourceLocation::current()) {
    return insert(local_set.spawn_local(detail::give(work), location));
  }
  template <typename F>
  AbortHandle spawn_blocking(F&& closure) {
    return insert(kaido::spawn_blocking(detail::give<F>(closure)));
  }
  template <typename F>
  AbortHandle spawn_blocking_on(F&& closure, const Handle& handle) {
    return insert(handle.spawn_blocking(detail::give<F>(closure)));
  }
  /// Spawns everything in a range of Tasks or callables, which it moves from.
  template <typename Range>
  void extend(Range&& range) {
    for (auto& work : range) spawn(std::move(work));
  }

  /// Tasks not yet joined, finished ones included.
  [[nodiscard]] std::size_t len() const noexcept { return base_.size(); }
  [[nodiscard]] bool is_empty() const noexcept { return len() == 0; }

  /// Awaiting it gives the next task to finish, or nothing if the set is empty. Takes from the budget.
  [[nodiscard]] JoinNext join_next() noexcept { return JoinNext(base_); }
  [[nodiscard]] JoinNextWithId join_next_with_id() noexcept { return JoinNextWithId(base_); }
  /// The next finished task without waiting.
  [[nodiscard]] std::optional<Result<T>> try_join_next() { return take_result(base_.take_finished()); }
  [[nodiscard]] std::optional<WithId> try_join_next_with_id() { return take_with_id(base_.take_finished()); }
  /// All values in the order of completion; nothing of tasks without values, which are only waited for. The first task
  /// that failed is thrown as ErrorException, and the rest aborted.
  [[nodiscard]] KAIDO_CORO_WRAPPER Task<std::vector<T>> join_all()
    requires(!std::is_void_v<T>)
  {
    return join_all_of(std::move(*this));
  }
  [[nodiscard]] KAIDO_CORO_WRAPPER Task<void> join_all()
    requires std::is_void_v<T>
  {
    return wait_for_all(std::move(*this));
  }

  /// Asks every task to cancel; they stay in the set until they are joined.
  void abort_all() noexcept { base_.abort_all(); }
  /// Aborts all and waits until the last is gone; their results are discarded.
  [[nodiscard]] KAIDO_CORO_WRAPPER Task<void> shutdown() { return shut_down(this); }
  /// Forgets the tasks without aborting them.
  void detach_all() noexcept { base_.detach_all(); }

  class [[nodiscard]] JoinNext : public detail::JoinFinished {
   public:
    using JoinFinished::JoinFinished;
    std::optional<Result<T>> take() { return take_result(release()); }
  };
  class [[nodiscard]] JoinNextWithId : public detail::JoinFinished {
   public:
    using JoinFinished::JoinFinished;
    std::optional<WithId> take() { return take_with_id(release()); }
  };

 private:
  static std::optional<Result<T>> take_result(detail::TaskHeader* finished) {
    if (finished == nullptr) return std::nullopt;
    JoinHandle<T> handle(static_cast<detail::JoinCell<T>&>(*finished));
    return handle.take();
  }
  static std::optional<WithId> take_with_id(detail::TaskHeader* finished) {
    if (finished == nullptr) return std::nullopt;
    JoinHandle<T> handle(static_cast<detail::JoinCell<T>&>(*finished));
    const TaskId id = handle.id();
    return WithId(id, handle.take());
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
  static Task<void> wait_for_all(JoinSet set) {
    for (;;) {
      const auto next = co_await set.join_next();
      if (!next) co_return;
      if (!*next) throw ErrorException(next->error());
    }
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

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
