/// RwLock<T>: a value that many tasks may read or one may change, also across awaits.
///
///     kaido::RwLock<Table> table;
///     auto reading = co_await table.read();           // const Table&
///     auto writing = co_await table.write();          // Table&
///
/// Fair: a writer that waits goes before readers that come after it, so that neither side starves. Hence a task that
/// reads must not ask to read again while it holds a guard: a writer in between would block both for ever.
/// There is no poisoning: an exception that passes a guard unlocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <kaido/detail/batch_semaphore.h>
#include <kaido/detail/block_thread.h>
#include <kaido/detail/lock_guard.h>
#include <kaido/expected.h>
#include <kaido/sync/mutex.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

/// See RwLockReadGuard.
template <typename U, typename Owner>
class [[nodiscard]] ReadGuardOf : public LockedValue<U, Owner> {
  static_assert(std::is_const_v<U>);

 public:
  using LockedValue<U, Owner>::LockedValue;

  /// A guard of the part that `part(value)` refers to, in place of this one: `std::move(guard).map(...)`.
  template <typename F>
  auto map(F&& part) && {
    return this->template map_to<ReadGuardOf>(std::forward<F>(part));
  }
  /// The same if the pointer that `part(value)` gives is not null; else this guard comes back as the error.
  template <typename F>
  auto try_map(F&& part) && {
    return this->template try_map_to<ReadGuardOf>(std::forward<F>(part));
  }
};

/// See RwLockWriteGuard.
template <typename U, typename Owner>
class [[nodiscard]] WriteGuardOf : public LockedValue<U, Owner> {
 public:
  using LockedValue<U, Owner>::LockedValue;

  /// As those of the read guard.
  template <typename F>
  auto map(F&& part) && {
    return this->template map_to<WriteGuardOf>(std::forward<F>(part));
  }
  template <typename F>
  auto try_map(F&& part) && {
    return this->template try_map_to<WriteGuardOf>(std::forward<F>(part));
  }

  /// Becomes a read guard without letting a writer in between; readers at the head of the queue enter.
  ReadGuardOf<const U, Owner> downgrade() && {
    return std::move(*this).downgrade_map([](const U& value) -> const U& { return value; });
  }
  /// The same, of the part that `part(value)` refers to.
  template <typename F>
  auto downgrade_map(F&& part) && {
    const auto& mapped = std::forward<F>(part)(std::as_const(*this->value_));
    this->hold_.shrink_to(1);
    return this->template become<ReadGuardOf>(mapped);
  }
  /// The same if the pointer that `part(value)` gives is not null; else this guard comes back, still writing, as the
  /// error.
  template <typename F>
  auto try_downgrade_map(F&& part) && {
    const auto* mapped = std::forward<F>(part)(std::as_const(*this->value_));
    using Outcome = Expected<ReadGuardOf<std::remove_pointer_t<decltype(mapped)>, Owner>, WriteGuardOf>;
    if (mapped == nullptr) return Outcome(std::move(*this));
    this->hold_.shrink_to(1);
    return Outcome(this->template become<ReadGuardOf>(*mapped));
  }
  /// Gives up the right to downgrade (tokio's way to a mapped guard of the whole value): the guard itself.
  WriteGuardOf into_mapped() && { return std::move(*this); }
};

}  // namespace detail

/// Read access to the value of an RwLock (`*guard`, `guard->`), or with map() to a part of it. Ends when it goes.
///
/// Threading: a value; may be moved to and dropped on any thread.
/// Lifetime: must not outlive the lock.
template <typename U>
using RwLockReadGuard = detail::ReadGuardOf<const U, detail::NoOwner>;

/// Write access, likewise.
template <typename U>
using RwLockWriteGuard = detail::WriteGuardOf<U, detail::NoOwner>;
template <typename U>
using RwLockMappedWriteGuard = RwLockWriteGuard<U>;

/// The same, sharing the ownership of their lock.
template <typename U>
using OwnedRwLockReadGuard = detail::ReadGuardOf<const U, detail::SharedOwner>;
template <typename U>
using OwnedRwLockWriteGuard = detail::WriteGuardOf<U, detail::SharedOwner>;
template <typename U>
using OwnedRwLockMappedWriteGuard = OwnedRwLockWriteGuard<U>;

/// Threading: thread-safe, except for get_mut and into_inner.
/// Lifetime: outlives its borrowed guards and every wait on it.
/// Cancellation: a read() or write() that is dropped leaves the queue, and readers who waited behind a dropped writer
/// enter; it loses its place. One that is ready but dropped unlocks.
template <typename T>
class RwLock : public std::enable_shared_from_this<RwLock<T>> {
 public:
  static constexpr std::uint32_t kMaxReaders = std::numeric_limits<std::uint32_t>::max() >> 3;

  RwLock() : RwLock(T()) {}
  explicit RwLock(T value) : RwLock(std::move(value), kMaxReaders) {}
  /// With a limit of readers at a time; more wait. Throws std::logic_error for 0 and beyond kMaxReaders.
  RwLock(T value, std::uint32_t max_readers) : max_readers_(checked(max_readers)), value_(std::move(value)) {}
  [[nodiscard]] static RwLock with_max_readers(T value, std::uint32_t max_readers) {
    return RwLock(std::move(value), max_readers);
  }

  /// Awaitables: a read or write guard. They wait their turn in the queue, which starts with the first poll. Use the
  /// task's budget. The owned ones throw std::bad_weak_ptr unless a shared_ptr owns this.
  auto read() noexcept { return operation<RwLockReadGuard<T>, const T>(detail::NoOwner(), 1); }
  auto write() noexcept { return operation<RwLockWriteGuard<T>, T>(detail::NoOwner(), max_readers_); }
  auto read_owned() { return operation<OwnedRwLockReadGuard<T>, const T>(share(), 1); }
  auto write_owned() { return operation<OwnedRwLockWriteGuard<T>, T>(share(), max_readers_); }

  /// At once or not at all; never overtake those who wait, never use budget.
  Expected<RwLockReadGuard<T>, TryLockError> try_read() noexcept {
    return attempt<RwLockReadGuard<T>>(detail::NoOwner(), 1);
  }
  Expected<RwLockWriteGuard<T>, TryLockError> try_write() noexcept {
    return attempt<RwLockWriteGuard<T>>(detail::NoOwner(), max_readers_);
  }
  Expected<OwnedRwLockReadGuard<T>, TryLockError> try_read_owned() {
    return attempt<OwnedRwLockReadGuard<T>>(share(), 1);
  }
  Expected<OwnedRwLockWriteGuard<T>, TryLockError> try_write_owned() {
    return attempt<OwnedRwLockWriteGuard<T>>(share(), max_readers_);
  }

  /// For plain threads: wait for it there. Throw std::logic_error on a thread that runs tasks.
  RwLockReadGuard<T> blocking_read() { return detail::block_on_awaitable(read()); }
  RwLockWriteGuard<T> blocking_write() { return detail::block_on_awaitable(write()); }

  /// The value, for who alone has the lock.
  [[nodiscard]] T& get_mut() noexcept { return value_; }
  [[nodiscard]] T into_inner() && { return std::move(value_); }

 private:
  static std::uint32_t checked(std::uint32_t max_readers) {
    if (max_readers == 0) throw std::logic_error("kaido: an RwLock needs room for one reader at least");
    if (max_readers > kMaxReaders) throw std::logic_error("kaido: an RwLock has at most RwLock::kMaxReaders readers");
    return max_readers;
  }
  detail::SharedOwner share() { return this->shared_from_this(); }
  template <typename Guard, typename U, typename Owner>
  auto operation(Owner owner, std::size_t count) noexcept {
    using Make = detail::GuardMaker<Guard, Owner, U>;
    return detail::AcquireOperation<Make>(permits_, count, Make(std::move(owner), permits_, count, value_));
  }
  template <typename Guard, typename Owner>
  Expected<Guard, TryLockError> attempt(Owner owner, std::size_t count) noexcept {
    if (permits_.try_take(count) != detail::BatchSemaphore::Taken::kYes) return TryLockError();
    return Guard(std::move(owner), detail::PermitHold(permits_, count), value_);
  }

  std::uint32_t max_readers_;
  detail::BatchSemaphore permits_{max_readers_};  // A reader takes one permit, a writer all.
  T value_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
