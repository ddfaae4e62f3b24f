/// Idle: which workers sleep and how many search, so that new work wakes one of them, and not a herd.
///
/// At most half the workers search for work to steal at a time. Work is announced to a sleeper only if nobody searches
/// already: a searcher that finds something wakes the next.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

namespace kaido::inline abi0::detail {

/// Threading: thread-safe. The counters are sequentially consistent: who queues work and then asks for a worker to
/// wake, and who sleeps and then looks for work, must not miss each other.
class Idle {
 public:
  explicit Idle(std::size_t workers) : workers_(workers), state_(pack(workers, 0)) { sleepers_.reserve(workers); }

  /// The sleeper to wake for new work, counted as awake and searching; nothing if one searches or all are awake.
  [[nodiscard]] std::optional<std::size_t> worker_to_notify() {
    // Not a load: the work that was queued before is to be seen by whoever parks after this.
    if (!should_notify(state_.fetch_add(0, std::memory_order_seq_cst))) return std::nullopt;
    std::scoped_lock lock(mutex_);
    if (!should_notify(state_.load(std::memory_order_seq_cst)) || sleepers_.empty()) return std::nullopt;
    state_.fetch_add(pack(1, 1), std::memory_order_seq_cst);
    const std::size_t worker = sleepers_.back();
    sleepers_.pop_back();
    return worker;
  }
  /// True if it must look once more for work, since what came just before was not announced to it: to nobody if it was
  /// the last to search, to those who search if it could not; they may have found something else and looked no further.
  [[nodiscard]] bool park(std::size_t worker, bool is_searching) {
    std::scoped_lock lock(mutex_);
    const std::uint64_t before = state_.fetch_sub(pack(1, is_searching ? 1 : 0), std::memory_order_seq_cst);
    sleepers_.push_back(worker);
    return !is_searching || searching(before) == 1;
  }
  [[nodiscard]] bool start_searching() noexcept {
    const std::uint64_t state = state_.load(std::memory_order_seq_cst);
    if (2 * searching(state) >= workers_) return false;
    state_.fetch_add(pack(0, 1), std::memory_order_seq_cst);
    return true;
  }
  /// True if it was the last one.
  [[nodiscard]] bool stop_searching() noexcept {
    return searching(state_.fetch_sub(pack(0, 1), std::memory_order_seq_cst)) == 1;
  }
  /// A worker that wakes for a reason of its own; false if it had been woken by worker_to_notify().
  [[nodiscard]] bool unpark(std::size_t worker) {
    std::scoped_lock lock(mutex_);
    if (std::erase(sleepers_, worker) == 0) return false;
    state_.fetch_add(pack(1, 0), std::memory_order_seq_cst);
    return true;
  }
  [[nodiscard]] bool is_parked(std::size_t worker) {
    std::scoped_lock lock(mutex_);
    for (std::size_t sleeper : sleepers_) {
      if (sleeper == worker) return true;
    }
    return false;
  }

 private:
  static constexpr std::uint64_t pack(std::size_t awake, std::size_t searchers) noexcept {
    return (static_cast<std::uint64_t>(awake) << 32) | searchers;
  }
  static constexpr std::size_t awake(std::uint64_t state) noexcept { return state >> 32; }
  static constexpr std::size_t searching(std::uint64_t state) noexcept { return state & 0xffffffff; }
  [[nodiscard]] bool should_notify(std::uint64_t state) const noexcept {
    return searching(state) == 0 && awake(state) < workers_;
  }

  const std::size_t workers_;
  std::atomic<std::uint64_t> state_;
  std::mutex mutex_;  // Guards sleepers_ and changes of `awake`.
  std::vector<std::size_t> sleepers_;
};

}  // namespace kaido::inline abi0::detail
