/// Semaphore: counted permits, handed out strictly in the order of asking.
///
///     kaido::Semaphore semaphore(3);
///     auto permit = (co_await semaphore.acquire()).value();     // Given back when `permit` goes.
///
/// An owned permit keeps the semaphore alive and can move into other tasks; the semaphore then lies in a shared_ptr:
///
///     auto shared = std::make_shared<kaido::Semaphore>(3);
///     auto task = kaido::spawn(work((co_await shared->acquire_owned()).value()));
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include <kaido/detail/batch_semaphore.h>
#include <kaido/detail/block_thread.h>
#include <kaido/expected.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

class Semaphore;

/// The semaphore was closed.
struct AcquireError {
  [[nodiscard]] const char* message() const noexcept { return "the semaphore is closed"; }
  bool operator==(const AcquireError&) const noexcept = default;
};

enum class TryAcquireError { kNoPermits, kClosed };
[[nodiscard]] inline const char* message(TryAcquireError error) noexcept {
  return error == TryAcquireError::kClosed ? "the semaphore is closed" : "no permits available";
}

/// Permits of a Semaphore; they return to it when this goes.
///
/// Threading: a value; may be moved to and dropped on any thread.
/// Lifetime: must not outlive the semaphore.
class [[nodiscard]] SemaphorePermit {
 public:
  SemaphorePermit(SemaphorePermit&&) noexcept = default;
  SemaphorePermit& operator=(SemaphorePermit&&) noexcept = default;
  ~SemaphorePermit() = default;

  [[nodiscard]] std::size_t num_permits() const noexcept { return hold_.count(); }
  /// Drops it without giving the permits back: the semaphore has fewer for ever.
  void forget() noexcept { hold_.forget(); }
  /// Takes over the permits of `other`. Throws std::logic_error if they belong to another semaphore.
  void merge(SemaphorePermit other);
  /// Splits off `count` permits; none if there are not as many.
  [[nodiscard]] std::optional<SemaphorePermit> split(std::size_t count) noexcept;

 private:
  friend class Semaphore;
  explicit SemaphorePermit(detail::PermitHold hold) noexcept : hold_(std::move(hold)) {}
  detail::PermitHold hold_;
};

/// The same, sharing the ownership of its semaphore.
class [[nodiscard]] OwnedSemaphorePermit {
 public:
  OwnedSemaphorePermit(OwnedSemaphorePermit&&) noexcept = default;
  OwnedSemaphorePermit& operator=(OwnedSemaphorePermit&& other) noexcept {
    hold_ = std::move(other.hold_);  // In this order: the permits return while their semaphore is alive.
    owner_ = std::move(other.owner_);
    return *this;
  }
  ~OwnedSemaphorePermit() = default;

  [[nodiscard]] std::size_t num_permits() const noexcept { return hold_.count(); }
  [[nodiscard]] const std::shared_ptr<Semaphore>& semaphore() const noexcept { return owner_; }
  void forget() noexcept { hold_.forget(); }
  void merge(OwnedSemaphorePermit other);
  [[nodiscard]] std::optional<OwnedSemaphorePermit> split(std::size_t count) noexcept;

 private:
  friend class Semaphore;
  OwnedSemaphorePermit(std::shared_ptr<Semaphore> owner, detail::PermitHold hold) noexcept
      : owner_(std::move(owner)), hold_(std::move(hold)) {}
  std::shared_ptr<Semaphore> owner_;  // First: outlives `hold_`.
  detail::PermitHold hold_;
};

/// Threading: thread-safe.
/// Lifetime: outlives its borrowed permits and every wait on it.
/// Cancellation: an acquire that is dropped leaves the queue, and what it had gathered goes to the next; it loses its
/// place. An acquire that is ready but dropped gives the permits back.
class Semaphore : public std::enable_shared_from_this<Semaphore> {
  struct Borrow {
    Semaphore* semaphore;
    std::size_t count;
    Expected<SemaphorePermit, AcquireError> operator()(bool granted) const noexcept;
  };
  struct Share {
    Share(std::shared_ptr<Semaphore> shared, std::size_t permits) noexcept : owner(std::move(shared)), count(permits) {}
    std::shared_ptr<Semaphore> owner;
    std::size_t count;
    Expected<OwnedSemaphorePermit, AcquireError> operator()(bool granted) noexcept;
  };

 public:
  static constexpr std::size_t kMaxPermits = detail::BatchSemaphore::kMaxPermits;

  /// Throws std::logic_error beyond kMaxPermits.
  explicit Semaphore(std::size_t permits) : permits_(permits) {}

  /// Awaitable: Expected<SemaphorePermit, AcquireError>. Waits its turn in the queue, which starts with the first poll.
  /// Fails only when the semaphore is closed. Uses the task's budget.
  detail::AcquireOperation<Borrow> acquire() noexcept { return acquire_many(1); }
  /// The same for `count` permits at once. At the head of the queue it takes permits as they come, so that small
  /// requests behind it cannot starve it.
  detail::AcquireOperation<Borrow> acquire_many(std::size_t count) noexcept {
    return {permits_, count, Borrow{this, count}};
  }
  /// Awaitable: Expected<OwnedSemaphorePermit, AcquireError>. Throws std::bad_weak_ptr unless a shared_ptr owns this.
  detail::AcquireOperation<Share> acquire_owned() { return acquire_many_owned(1); }
  detail::AcquireOperation<Share> acquire_many_owned(std::size_t count) {
    return {permits_, count, Share(shared_from_this(), count)};
  }

  /// At once or not at all; never overtakes those who wait, never uses budget.
  Expected<SemaphorePermit, TryAcquireError> try_acquire() noexcept { return try_acquire_many(1); }
  Expected<SemaphorePermit, TryAcquireError> try_acquire_many(std::size_t count) noexcept;
  Expected<OwnedSemaphorePermit, TryAcquireError> try_acquire_owned() { return try_acquire_many_owned(1); }
  Expected<OwnedSemaphorePermit, TryAcquireError> try_acquire_many_owned(std::size_t count);

  /// For plain threads: wait for it there. Throw std::logic_error on a thread that runs tasks.
  Expected<SemaphorePermit, AcquireError> blocking_acquire() { return blocking_acquire_many(1); }
  Expected<SemaphorePermit, AcquireError> blocking_acquire_many(std::size_t count) {
    return detail::block_on_awaitable(acquire_many(count));
  }
  Expected<OwnedSemaphorePermit, AcquireError> blocking_acquire_owned() { return blocking_acquire_many_owned(1); }
  Expected<OwnedSemaphorePermit, AcquireError> blocking_acquire_many_owned(std::size_t count) {
    return detail::block_on_awaitable(acquire_many_owned(count));
  }

  /// Adds new permits. Throws std::logic_error if there would be more than kMaxPermits.
  void add_permits(std::size_t count) { permits_.add(count); }
  /// Takes up to `count` available permits out for ever, and says how many it took.
  std::size_t forget_permits(std::size_t count) noexcept { return permits_.forget(count); }
  [[nodiscard]] std::size_t available_permits() const noexcept { return permits_.available(); }

  /// Everyone who waits, or asks later, fails. Permits that are out stay valid and can still return.
  void close() noexcept { permits_.close(); }
  [[nodiscard]] bool is_closed() const noexcept { return permits_.is_closed(); }

 private:
  detail::BatchSemaphore permits_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
