/// How something that completes later gets a task polled again: WakeTarget, Waker, Budget, Context.
///
/// Internal, but the contract for every custom awaitable of the library. An awaitable ("pollable") is a type with
///
///     bool poll(detail::Context& context);   // true: take() may be called, once
///     T take();                              // the outcome
///
/// and a destructor that cancels. poll() may be called again at any time, also when nothing happened (a task has one
/// wake-up for all it waits for), so it re-checks its own state; when it returns false it has stored context.waker()
/// where the completing side finds it. `co_await pollable` then works in every Task, and `timeout` works on it too.
/// The destructor may run before the first poll, between polls or after take(); it runs on the task's thread.
///
/// One more member is for what cannot be destroyed at any moment, because it has lent memory to somebody (an operation
/// of Asio's), and for combinators that hold other Pollables:
///
///     Dropped poll_drop(detail::Context& context) noexcept;
///
/// The first call gives up: it cancels, and poll() does not follow. On kWaits, context.waker() is woken once another
/// call may say more. Who drops a Pollable that has it calls it first, until it says something else: kGone, destroy it;
/// kOutcome, it was done nevertheless: what has happened is not dropped, so take() it. See docs/decisions/0015.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace kaido::detail {

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

/// An owning reference to a WakeTarget; null if default-constructed.
class Waker {
 public:
  Waker() noexcept = default;
  explicit Waker(WakeTarget& target) noexcept : target_(&target) { target.add_ref(); }
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
  [[nodiscard]] const WakeTarget* target() const noexcept { return target_; }

  /// Wakes and becomes null. Nothing happens on a null Waker.
  void wake() noexcept {
    if (target_ != nullptr) std::exchange(target_, nullptr)->wake_by_value();
  }
  void wake_by_ref() const noexcept {
    if (target_ != nullptr) target_->wake_by_ref();
  }
  void reset() noexcept {
    if (target_ != nullptr) std::exchange(target_, nullptr)->drop_ref();
  }

 private:
  WakeTarget* target_ = nullptr;
};

/// How far something is that was given up.
enum class Dropped : unsigned char {
  kWaits,    ///< it may not be destroyed yet; ask again when woken
  kGone,     ///< it may be destroyed, and has nothing to give
  kOutcome,  ///< it may be destroyed, but was done before it could be cancelled: take() gives what happened
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

/// What a poll knows: whom to wake, and the budget. Valid only during that poll.
class Context {
 public:
  Context(WakeTarget& target, Budget& budget) noexcept : target_(&target), budget_(&budget) {}
  /// The same poll with another budget.
  Context(const Context& other, Budget& budget) noexcept
      : target_(other.target_), budget_(&budget), gives_up_(other.gives_up_) {}

  /// The same for something that is given up: it goes on with what has happened, as far as its next wait.
  [[nodiscard]] Context giving_up() const noexcept {
    Context context(*this);
    context.gives_up_ = true;
    return context;
  }
  /// True: no operation is to be started that would have to be waited for.
  [[nodiscard]] bool gives_up() const noexcept { return gives_up_; }

  [[nodiscard]] Waker waker() const noexcept { return Waker(*target_); }
  [[nodiscard]] WakeTarget& target() const noexcept { return *target_; }
  [[nodiscard]] bool will_wake(const Waker& waker) const noexcept { return waker.target() == target_; }
  /// Stores the waker unless `slot` already has it: the usual line of a poll() that returns false.
  void store_waker(Waker& slot) const {
    if (!will_wake(slot)) slot = waker();
  }

  [[nodiscard]] Budget& budget() const noexcept { return *budget_; }
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
  WakeTarget* target_;
  Budget* budget_;
  bool gives_up_ = false;
};

}  // namespace kaido::detail
