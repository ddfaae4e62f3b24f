/// Barrier: tasks wait until a number of them have arrived, then all go on.
///
///     kaido::Barrier barrier(3);
///     auto result = co_await barrier.wait();
///     if (result.is_leader()) report();      // exactly one of the three
#pragma once

#include <cstddef>
#include <cstdint>

#include <kaido/detail/futex_lock.h>
#include <kaido/detail/wait_list.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

class BarrierWait;

/// What Barrier::wait() gives.
class BarrierWaitResult {
 public:
  explicit BarrierWaitResult(bool is_leader) noexcept : is_leader_(is_leader) {}
  /// True for one of the tasks of a round: the one that arrived last.
  [[nodiscard]] bool is_leader() const noexcept { return is_leader_; }

 private:
  bool is_leader_;
};

/// Reusable: the next round begins when one is complete.
///
/// Threading: thread-safe.
/// Lifetime: outlives the waits on it, the leader's included; needs no runtime.
class Barrier {
 public:
  /// For `count` tasks; 0 is as 1.
  explicit Barrier(std::size_t count) noexcept : count_(count == 0 ? 1 : count) {}
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  /// Arrives when first awaited, and waits for the others. Takes nothing from the task's budget.
  ///
  /// Cancellation: not safe; a wait that is dropped has arrived, and the round is complete without it.
  [[nodiscard]] BarrierWait wait() noexcept;

 private:
  friend class BarrierWait;

  const std::size_t count_;
  detail::FutexLock lock_;
  // Guarded by lock_.
  std::size_t arrived_ = 0;
  std::uint64_t round_ = 0;
  detail::WaitList<> waiters_;
};

/// Awaiting it gives a BarrierWaitResult; see Barrier::wait().
///
/// Threading: confined to one task.
/// Lifetime: must not outlive its Barrier; stays in place once it was awaited.
/// Cancellation: see Barrier::wait().
class [[nodiscard]] BarrierWait {
 public:
  /// Only before it is first awaited.
  BarrierWait(BarrierWait&& other) noexcept : barrier_(other.barrier_) {}
  BarrierWait& operator=(BarrierWait&&) = delete;
  ~BarrierWait();

  /// Internal, for co_await.
  bool poll(PollContext& context) noexcept;
  BarrierWaitResult take() noexcept { return BarrierWaitResult(stage_ == Stage::kLeader); }

 private:
  friend class Barrier;
  enum class Stage : unsigned char { kNew, kWaiting, kReleased, kLeader };

  explicit BarrierWait(Barrier& barrier) noexcept : barrier_(&barrier) {}
  bool arrive(PollContext& context) noexcept;
  bool check(PollContext& context) noexcept;

  Barrier* barrier_;
  std::uint64_t round_ = 0;
  detail::WaitNode node_;
  Stage stage_ = Stage::kNew;
};

inline BarrierWait Barrier::wait() noexcept { return BarrierWait(*this); }

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
