/// JoinMap<K, V>: a JoinSet whose tasks have keys.
///
///     kaido::JoinMap<std::string, int> map;
///     map.spawn("left", work(1));
///     map.spawn("right", work(2));
///     while (auto next = co_await map.join_next()) use(next->first, next->second.value());
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/join_set.h>
#include <kaido/result.h>
#include <kaido/source_location.h>
#include <kaido/spawn.h>
#include <kaido/task_id.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// A key names at most one task: spawning on a key that is there aborts the old task and forgets its result.
///
/// Threading: confined to one task or thread.
/// Lifetime: dropping it aborts every task in it, asynchronously.
/// Cancellation: join_next() is safe: a dropped await loses no result. shutdown() is safe: the tasks are aborted, those
/// not joined yet stay in the map.
template <typename K, typename V, typename Hash = std::hash<K>, typename Equal = std::equal_to<K>>
class JoinMap {
 public:
  using value_type = std::pair<K, Result<V>>;
  class JoinNext;

  JoinMap() = default;
  JoinMap(JoinMap&&) noexcept = default;
  JoinMap& operator=(JoinMap&&) noexcept = default;

  /// As kaido::spawn, spawn_local and spawn_blocking; _on: on a runtime's handle or a LocalSet.
  template <typename W>
  void spawn(K key, W work, SourceLocation location = SourceLocation::current()) {
    insert(std::move(key), kaido::spawn(detail::give(work), location));
  }
  template <typename W>
  void spawn_on(K key, W work, const Handle& handle) {
    insert(std::move(key), handle.spawn(detail::to_task(std::move(work))));
  }
  template <typename W>
  void spawn_local(K key, W work, SourceLocation location = SourceLocation::current()) {
    insert(std::move(key), kaido::spawn_local(detail::give(work), location));
  }
  template <typename W, typename Set>
  void spawn_local_on(K key, W work, const Set& local_set, SourceLocation location = SourceLocation::current()) {
    insert(std::move(key), local_set.spawn_local(detail::give(work), location));
  }
  template <typename F>
  void spawn_blocking(K key, F&& closure) {
    insert(std::move(key), kaido::spawn_blocking(detail::give<F>(closure)));
  }
  template <typename F>
  void spawn_blocking_on(K key, F&& closure, const Handle& handle) {
    insert(std::move(key), handle.spawn_blocking(detail::give<F>(closure)));
  }
  /// Takes over a task that is already running.
  void insert(K key, JoinHandle<V> handle) {
    AbortHandle aborter = tasks_.insert(std::move(handle));
    const TaskId id = aborter.id();
    auto found = by_key_.find(key);
    if (found != by_key_.end()) {
      found->second.abort();
      by_id_.erase(found->second.id());
      found->second = std::move(aborter);
    } else {
      found = by_key_.emplace(std::move(key), std::move(aborter)).first;
    }
    by_id_.emplace(id, &found->first);
  }

  /// Tasks not yet joined, finished ones included.
  [[nodiscard]] std::size_t len() const noexcept { return by_key_.size(); }
  [[nodiscard]] bool is_empty() const noexcept { return by_key_.empty(); }
  /// Also true for tasks that have finished and are not yet joined.
  [[nodiscard]] bool contains_key(const K& key) const { return by_key_.contains(key); }
  [[nodiscard]] bool contains_task(TaskId id) const { return by_id_.contains(id); }
  [[nodiscard]] std::vector<K> keys() const {
    std::vector<K> all;
    all.reserve(len());
    for (const auto& [key, handle] : by_key_) all.push_back(key);
    return all;
  }
  void reserve(std::size_t tasks) {
    by_key_.reserve(tasks);
    by_id_.reserve(tasks);
  }

  /// Awaiting it gives key and result of the next task to finish, or nothing if the map is empty. Takes from the
  /// budget.
  [[nodiscard]] JoinNext join_next() noexcept { return JoinNext(*this); }
  /// The next finished task without waiting.
  [[nodiscard]] std::optional<value_type> try_join_next() {
    while (auto finished = tasks_.try_join_next_with_id()) {
      if (auto joined = take(std::move(*finished))) return joined;
    }
    return std::nullopt;
  }

  /// Asks a task to cancel; false if there is none of that key. It stays in the map until it is joined.
  bool abort(const K& key) noexcept {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return false;
    found->second.abort();
    return true;
  }
  /// Asks all tasks to cancel whose key satisfies the predicate.
  template <typename Predicate>
  void abort_matching(Predicate&& predicate) {
    for (const auto& [key, handle] : by_key_) {
      if (predicate(key)) handle.abort();
    }
  }
  void abort_all() noexcept { tasks_.abort_all(); }
  /// Aborts all and waits until the last is gone; their results are discarded.
  [[nodiscard]] KAIDO_CORO_WRAPPER Task<void> shutdown() { return shut_down(this); }
  /// Forgets the tasks without aborting them.
  void detach_all() noexcept {
    tasks_.detach_all();
    by_id_.clear();
    by_key_.clear();
  }

  class [[nodiscard]] JoinNext {
   public:
    explicit JoinNext(JoinMap& map) noexcept : map_(&map), next_(map.tasks_.join_next_with_id()) {}

    bool poll(PollContext& context) {
      while (next_.poll(context)) {
        auto finished = next_.take();
        if (!finished) return true;
        // Tasks that were replaced end unseen.
        joined_ = map_->take(std::move(*finished));
        if (joined_) return true;
      }
      return false;
    }
    std::optional<value_type> take() { return std::move(joined_); }

   private:
    JoinMap* map_;
    typename JoinSet<V>::JoinNextWithId next_;
    std::optional<value_type> joined_;
  };

 private:
  using ByKey = std::unordered_map<K, AbortHandle, Hash, Equal>;

  std::optional<value_type> take(typename JoinSet<V>::WithId finished) {
    const auto found = by_id_.find(finished.first);
    if (found == by_id_.end()) return std::nullopt;
    auto node = by_key_.extract(*found->second);
    by_id_.erase(found);
    return value_type(std::move(node.key()), std::move(finished.second));
  }
  static Task<void> shut_down(JoinMap* map) {
    map->abort_all();
    for (;;) {
      const auto next = co_await map->join_next();
      if (!next) co_return;
    }
  }

  JoinSet<V> tasks_;
  ByKey by_key_;
  std::unordered_map<TaskId, const K*> by_id_;  // The keys lie in by_key_'s nodes.
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
