/// Mutex<T>: a value that one task at a time may use, also across awaits.
///
///     kaido::Mutex<std::string> name("road");
///     {
///       auto guard = co_await name.lock();
///       guard->append("s");
///     }                                             // Unlocked here.
///
/// Hand-off is in the order of asking: after an unlock nobody overtakes those who wait. For short sections without an
/// await inside, std::mutex is faster. There is no poisoning: an exception that passes a guard unlocks.
#pragma once

#include <memory>
#include <utility>

#include <kaido/detail/batch_semaphore.h>
#include <kaido/detail/block_thread.h>
#include <kaido/detail/lock_guard.h>
#include <kaido/expected.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// try_lock: somebody else has the lock, or waits for it.
struct TryLockError {
  [[nodiscard]] const char* message() const noexcept { return "the lock is held or waited for"; }
  bool operator==(const TryLockError&) const noexcept = default;
};

namespace detail {

/// See MutexGuard.
template <typename U, typename Owner>
class [[nodiscard]] MutexGuardOf : public LockedValue<U, Owner> {
 public:
  using LockedValue<U, Owner>::LockedValue;

  /// A guard of the part that `part(value)` refers to, in place of this one: `std::move(guard).map(...)`.
  template <typename F>
  auto map(F&& part) && {
    return this->template map_to<MutexGuardOf>(std::forward<F>(part));
  }
  /// The same if the pointer that `part(value)` gives is not null; else this guard comes back as the error.
  template <typename F>
  auto try_map(F&& part) && {
    return this->template try_map_to<MutexGuardOf>(std::forward<F>(part));
  }
};

}  // namespace detail

/// Access to the value of a locked Mutex (`*guard`, `guard->`), or with map() to a part of it. Unlocks when it goes.
///
/// Threading: a value; may be moved to and dropped on any thread.
/// Lifetime: must not outlive the mutex.
template <typename U>
using MutexGuard = detail::MutexGuardOf<U, detail::NoOwner>;
template <typename U>
using MappedMutexGuard = MutexGuard<U>;

/// The same, sharing the ownership of its mutex.
template <typename U>
using OwnedMutexGuard = detail::MutexGuardOf<U, detail::SharedOwner>;
template <typename U>
using OwnedMappedMutexGuard = OwnedMutexGuard<U>;

/// Threading: thread-safe, except for get_mut and into_inner.
/// Lifetime: outlives its borrowed guards and every wait on it.
/// Cancellation: a lock() that is dropped leaves the queue; it loses its place. One that is ready but dropped unlocks.
template <typename T>
class Mutex : public std::enable_shared_from_this<Mutex<T>> {
 public:
  Mutex() = default;
  explicit Mutex(T value) : value_(std::move(value)) {}

  /// Awaitable: MutexGuard<T>. Waits its turn in the queue, which starts with the first poll. Uses the task's budget.
  auto lock() noexcept { return operation<MutexGuard<T>>(detail::NoOwner()); }
  /// Awaitable: OwnedMutexGuard<T>. Throws std::bad_weak_ptr unless a shared_ptr owns this.
  auto lock_owned() { return operation<OwnedMutexGuard<T>>(detail::SharedOwner(this->shared_from_this())); }

  /// At once or not at all; never overtakes those who wait, never uses budget.
  Expected<MutexGuard<T>, TryLockError> try_lock() noexcept { return attempt<MutexGuard<T>>(detail::NoOwner()); }
  Expected<OwnedMutexGuard<T>, TryLockError> try_lock_owned() {
    return attempt<OwnedMutexGuard<T>>(detail::SharedOwner(this->shared_from_this()));
  }

  /// For plain threads: wait for it there. Throw std::logic_error on a thread that runs tasks.
  MutexGuard<T> blocking_lock() { return detail::block_on_awaitable(lock()); }
  OwnedMutexGuard<T> blocking_lock_owned() { return detail::block_on_awaitable(lock_owned()); }

  /// The value, for who alone has the mutex.
  [[nodiscard]] T& get_mut() noexcept { return value_; }
  [[nodiscard]] T into_inner() && { return std::move(value_); }

 private:
  template <typename Guard, typename Owner>
  auto operation(Owner owner) noexcept {
    using Make = detail::GuardMaker<Guard, Owner, T>;
    return detail::AcquireOperation<Make>(permits_, 1, Make(std::move(owner), permits_, 1, value_));
  }
  template <typename Guard, typename Owner>
  Expected<Guard, TryLockError> attempt(Owner owner) noexcept {
    if (permits_.try_take(1) != detail::BatchSemaphore::Taken::kYes) return TryLockError();
    return Guard(std::move(owner), detail::PermitHold(permits_, 1), value_);
  }

  detail::BatchSemaphore permits_{1};
  T value_{};
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
