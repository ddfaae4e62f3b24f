/// What the guards of Mutex and RwLock have in common: permits, the value they give access to and, for owned guards, a
/// share in the lock.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <kaido/detail/batch_semaphore.h>
#include <kaido/expected.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

struct NoOwner {};
using SharedOwner = std::shared_ptr<const void>;

/// Threading: a value; may be moved to and dropped on any thread.
/// Lifetime: with NoOwner it must not outlive the lock.
template <typename U, typename Owner>
class [[nodiscard]] LockedValue {
 public:
  LockedValue(Owner owner, PermitHold hold, U& value) noexcept
      : owner_(std::move(owner)), hold_(std::move(hold)), value_(&value) {}
  LockedValue(LockedValue&&) noexcept = default;
  LockedValue& operator=(LockedValue&& other) noexcept {
    hold_ = std::move(other.hold_);  // In this order: the permits return while their lock is alive.
    owner_ = std::move(other.owner_);
    value_ = other.value_;
    return *this;
  }
  ~LockedValue() = default;

  [[nodiscard]] U& operator*() const noexcept { return *value_; }
  [[nodiscard]] U* operator->() const noexcept { return value_; }

 protected:
  /// Another guard, of another value, in place of this one.
  template <template <typename, typename> class Guard, typename V>
  Guard<V, Owner> become(V& value) noexcept {
    return Guard<V, Owner>(std::move(owner_), std::move(hold_), value);
  }
  /// map: `part(value)` gives a reference into the value.
  template <template <typename, typename> class Guard, typename F>
  auto map_to(F&& part) {
    return become<Guard>(std::forward<F>(part)(*value_));
  }
  /// try_map: `part(value)` gives a pointer into the value, or null.
  template <template <typename, typename> class Guard, typename F>
  auto try_map_to(F&& part) {
    auto* mapped = std::forward<F>(part)(*value_);
    using Outcome = Expected<Guard<std::remove_pointer_t<decltype(mapped)>, Owner>, Guard<U, Owner>>;
    if (mapped == nullptr) return Outcome(Unexpected(become<Guard>(*value_)));
    return Outcome(become<Guard>(*mapped));
  }

  [[no_unique_address]] Owner owner_;  // First: outlives `hold_`.
  PermitHold hold_;
  U* value_;
};

/// Makes the guard once the lock is granted; for AcquireOperation.
template <typename Guard, typename Owner, typename U>
class GuardMaker {
 public:
  GuardMaker(Owner owner, BatchSemaphore& permits, std::size_t count, U& value) noexcept
      : owner_(std::move(owner)), permits_(permits), count_(count), value_(value) {}
  Guard operator()(bool) noexcept { return Guard(std::move(owner_), PermitHold(permits_, count_), value_); }

 private:
  [[no_unique_address]] Owner owner_;
  BatchSemaphore& permits_;
  std::size_t count_;
  U& value_;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
