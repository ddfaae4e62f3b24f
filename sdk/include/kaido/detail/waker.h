/// How something that completes later gets a task polled again: WakeTarget and Budget, which are internal, and Waker,
/// Dropped and PollContext, which <kaido/awaitable.h> documents for those who write awaitables.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

/// What a Waker refers to: a spawned task, the root of a block_on, a probe. Counts its references in the upper bits of
/// one word whose lower bits belong to the subclass.
///
/// Threading: add_ref, drop_ref and the wakes may be called from any thread.
class WakeTarget {
 public:
  WakeTarget(const WakeTarget&) = delete;
  WakeTarget& operator=(const WakeTarget&) = delete;

  void add_ref() noexcept { state_.fetch_add(kOneRef, std::memory_order_relaxed); }
  void drop_ref() noexcept {
    if (state_.fetch_sub(kOneRef, std::memory_order_acq_rel) < 2 * kOneRef) destroy();
  }

  /// Gets the target polled (soon, once for any number of wakes before that poll).
  virtual void wake_by_ref() noexcept = 0;
  /// The same, consuming one reference of the caller's.
  virtual void wake_by_value() noexcept {
    wake_by_ref();
    drop_ref();
  }

 protected:
  static constexpr std::uint64_t kOneRef = 128;

  explicit WakeTarget(std::uint64_t state) noexcept : state_(state) {}
  virtual ~WakeTarget() = default;
  /// The last reference is gone.
  virtual void destroy() noexcept = 0;

  std::atomic<std::uint64_t> state_;
};

/// A task has used up its budget: counted in the runtime's metrics.
void count_exhausted_budget() noexcept;

/// How many ready operations a task may still take in this poll before it must let others run (tokio's coop budget).
class Budget {
 public:
  static constexpr int kPerPoll = 128;
  constexpr Budget() noexcept = default;
  /// Never exhausted: for blocking threads, foreign executors and unconstrained().
  [[nodiscard]] static constexpr Budget unconstrained() noexcept { return Budget(-1); }

  [[nodiscard]] constexpr bool exhausted() const noexcept { return remaining_ == 0; }
  void spend() noexcept {
    if (remaining_ > 0 && --remaining_ == 0) count_exhausted_budget();
  }
  constexpr void reset() noexcept { remaining_ = kPerPoll; }

 private:
  constexpr explicit Budget(int remaining) noexcept : remaining_(remaining) {}

  int remaining_ = kPerPoll;  // Negative: unconstrained.
};

}  // namespace detail

/// Who is to be polled again: a spawned task, the root of a block_on. Null if default-constructed.
///
/// Threading: a value, like std::shared_ptr; it may be woken on any thread.
/// Lifetime: keeps the memory of what it wakes, not the task; waking one that has ended does nothing.
class Waker {
 public:
  Waker() noexcept = default;
  /// Internal.
  explicit Waker(detail::WakeTarget& target) noexcept : target_(&target) { target.add_ref(); }
  Waker(const Waker& other) noexcept : target_(other.target_) {
    if (target_ != nullptr) target_->add_ref();
  }
  Waker(Waker&& other) noexcept : target_(std::exchange(other.target_, nullptr)) {}
  Waker& operator=(Waker other) noexcept {
    std::swap(target_, other.target_);
    return *this;
  }
  ~Waker() { reset(); }

  explicit operator bool() const noexcept { return target_ != nullptr; }
  /// Internal.
  [[nodiscard]] const detail::WakeTarget* target() const noexcept { return target_; }

  /// Wakes and becomes null. Nothing happens on a null Waker.
  void wake() noexcept {
    if (target_ != nullptr) std::exchange(target_, nullptr)->wake_by_value();
  }
  /// Wakes and stays what it is.
  void wake_by_ref() const noexcept {
    if (target_ != nullptr) target_->wake_by_ref();
  }
  void reset() noexcept {
    if (target_ != nullptr) std::exchange(target_, nullptr)->drop_ref();
  }

 private:
  detail::WakeTarget* target_ = nullptr;
};

/// How far something is that was given up.
enum class Dropped : unsigned char {
  kWaits,    ///< it may not be destroyed yet; ask again when woken
  kGone,     ///< it may be destroyed, and has nothing to give
  kOutcome,  ///< it may be destroyed, but was done before it could be cancelled: take() gives what happened
};

/// What a poll knows: whom to wake, and the budget. Valid only during that poll.
class PollContext {
 public:
  PollContext(detail::WakeTarget& target, detail::Budget& budget) noexcept : target_(&target), budget_(&budget) {}
  /// The same poll with another budget.
  PollContext(const PollContext& other, detail::Budget& budget) noexcept
      : target_(other.target_), budget_(&budget), gives_up_(other.gives_up_) {}

  /// The same for something that is given up: it goes on with what has happened, as far as its next wait.
  [[nodiscard]] PollContext giving_up() const noexcept {
    PollContext context(*this);
    context.gives_up_ = true;
    return context;
  }
  /// True: no operation is to be started that would have to be waited for.
  [[nodiscard]] bool gives_up() const noexcept { return gives_up_; }

  [[nodiscard]] Waker waker() const noexcept { return Waker(*target_); }
  [[nodiscard]] detail::WakeTarget& target() const noexcept { return *target_; }
  [[nodiscard]] bool will_wake(const Waker& waker) const noexcept { return waker.target() == target_; }
  /// Stores the waker unless `slot` already has it: the usual line of a poll() that returns false.
  void store_waker(Waker& slot) const {
    if (!will_wake(slot)) slot = waker();
  }

  [[nodiscard]] detail::Budget& budget() const noexcept { return *budget_; }
  /// For leaf awaitables, first line of poll(): `if (!context.may_proceed()) return false;` and spend() when ready. If
  /// the budget is used up the task is woken again after the drivers have been polled.
  [[nodiscard]] bool may_proceed() const noexcept {
    if (!budget_->exhausted()) return true;
    defer();
    return false;
  }
  void spend() const noexcept { budget_->spend(); }

  /// Wakes the target once the scheduler has nothing else to run and has looked at timers and sockets.
  void defer() const noexcept;

 private:
  detail::WakeTarget* target_;
  detail::Budget* budget_;
  bool gives_up_ = false;
};

namespace detail {

using kaido::Dropped;
using kaido::Waker;

}  // namespace detail
}  // namespace kaido::inline abi0
#pragma GCC visibility pop
