/// JoinQueue<T>: a group of tasks, joined in the order in which they were spawned.
///
///     kaido::JoinQueue<Page> pages;
///     for (const Url& url : urls) pages.spawn(fetch(url));
///     while (auto page = co_await pages.join_next()) print(page->value());
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include <kaido/abort_on_drop.h>
#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/result.h>
#include <kaido/source_location.h>
#include <kaido/spawn.h>
#include <kaido/task_id.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Threading: confined to one task or thread.
/// Lifetime: dropping it aborts every task in it, asynchronously.
/// Cancellation: join_next() and join_next_with_id() are safe: a dropped await loses no result. shutdown() is safe: the
/// tasks are aborted, those not joined yet stay in the queue. join_all() owns the queue: dropping it aborts the rest,
/// and loses the values so far.
template <typename T>
class JoinQueue {
 public:
  using value_type = T;
  using WithId = std::pair<TaskId, Result<T>>;
  class JoinNext;
  class JoinNextWithId;

  JoinQueue() = default;
  JoinQueue(JoinQueue&&) noexcept = default;
  JoinQueue& operator=(JoinQueue&&) noexcept = default;

  /// As kaido::spawn, spawn_local and spawn_blocking; _on: on a runtime's handle or a LocalSet.
  template <typename W>
  AbortHandle spawn(W work, SourceLocation location = SourceLocation::current()) {
    return insert(kaido::spawn(detail::give(work), location));
  }
  template <typename W>
  AbortHandle spawn_on(W work, const Handle& handle) {
    return insert(handle.spawn(detail::to_task(std::move(work))));
  }
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
  /// Takes over a task that is already running, behind all others.
  AbortHandle insert(JoinHandle<T> handle) {
    AbortHandle aborter = handle.abort_handle();
    tasks_.emplace_back(std::move(handle));
    return aborter;
  }

  /// Tasks not yet joined, finished ones included.
  [[nodiscard]] std::size_t len() const noexcept { return tasks_.size(); }
  [[nodiscard]] bool is_empty() const noexcept { return tasks_.empty(); }

  /// Awaiting it gives the result of the task spawned first, or nothing if the queue is empty. Takes from the budget.
  [[nodiscard]] JoinNext join_next() noexcept { return JoinNext(*this); }
  [[nodiscard]] JoinNextWithId join_next_with_id() noexcept { return JoinNextWithId(*this); }
  /// The same without waiting: nothing if the first task has not finished, whatever the others have.
  [[nodiscard]] std::optional<Result<T>> try_join_next() {
    if (is_empty() || !tasks_.front().is_finished()) return std::nullopt;
    return pop();
  }
  [[nodiscard]] std::optional<WithId> try_join_next_with_id() {
    if (is_empty() || !tasks_.front().is_finished()) return std::nullopt;
    return pop_with_id();
  }
  /// All values in the order of spawning; nothing of tasks without values, which are only waited for. The first task
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

  /// Asks every task to cancel; they stay in the queue until they are joined.
  void abort_all() noexcept {
    for (const auto& task : tasks_) task.abort();
  }
  /// Aborts all and waits until the last is gone; their results are discarded.
  [[nodiscard]] KAIDO_CORO_WRAPPER Task<void> shutdown() { return shut_down(this); }
  /// Forgets the tasks without aborting them.
  void detach_all() noexcept {
    for (auto& task : tasks_) static_cast<void>(task.detach());
    tasks_.clear();
  }

  class [[nodiscard]] JoinNext {
   public:
    explicit JoinNext(JoinQueue& queue) noexcept : queue_(&queue) {}
    bool poll(PollContext& context) { return queue_->poll_first(context); }
    std::optional<Result<T>> take() {
      if (queue_->is_empty()) return std::nullopt;
      return queue_->pop();
    }

   private:
    JoinQueue* queue_;
  };
  class [[nodiscard]] JoinNextWithId {
   public:
    explicit JoinNextWithId(JoinQueue& queue) noexcept : queue_(&queue) {}
    bool poll(PollContext& context) { return queue_->poll_first(context); }
    std::optional<WithId> take() {
      if (queue_->is_empty()) return std::nullopt;
      return queue_->pop_with_id();
    }

   private:
    JoinQueue* queue_;
  };

 private:
  bool poll_first(PollContext& context) { return is_empty() || tasks_.front().poll(context); }
  Result<T> pop() {
    Result<T> result = tasks_.front().take();
    tasks_.pop_front();
    return result;
  }
  WithId pop_with_id() {
    const TaskId id = tasks_.front().id();
    return WithId(id, pop());
  }
  static Task<std::vector<T>> join_all_of(JoinQueue queue) {
    std::vector<T> values;
    values.reserve(queue.len());
    while (auto next = co_await queue.join_next()) {
      if (!*next) throw ErrorException(std::move(*next).error());
      values.push_back(std::move(**next));
    }
    co_return values;
  }
  static Task<void> wait_for_all(JoinQueue queue) {
    for (;;) {
      const auto next = co_await queue.join_next();
      if (!next) co_return;
      if (!*next) throw ErrorException(next->error());
    }
  }
  static Task<void> shut_down(JoinQueue* queue) {
    queue->abort_all();
    for (;;) {
      const auto next = co_await queue->join_next();
      if (!next) co_return;
    }
  }

  std::deque<AbortOnDropHandle<T>> tasks_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
