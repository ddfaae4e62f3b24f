/// Notify: wakes one waiting task, or all of them, without passing a value.
///
///     kaido::Notify notify;
///     co_await notify.notified();       // In one task...
///     notify.notify_one();              // ...and in another, before or after: the notification is kept for one
///     waiter.
///
/// The building block of other primitives: check a condition, and wait for the next notification if it does not hold.
/// Make the Notified before the check, so that a notify_waiters() in between is not missed:
///
///     for (;;) {
///       auto notified = notify.notified();
///       if (is_done()) break;
///       co_await notified;
///     }
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include <kaido/detail/futex_lock.h>
#include <kaido/detail/wait_list.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

class Notified;
class OwnedNotified;

/// Keeps at most one notification (two notify_one() without a waiter are as one).
///
/// Threading: thread-safe.
/// Lifetime: outlives the waits on it; needs no runtime. A single waiter may destroy it as soon as it was notified; one
/// of several waits until notify_waiters() has returned.
class Notify : public std::enable_shared_from_this<Notify> {
 public:
  Notify() noexcept = default;
  Notify(const Notify&) = delete;
  Notify& operator=(const Notify&) = delete;

  /// Waits for a notification: for a kept one, for one of notify_one() or notify_last() once it was first awaited or
  /// enabled, and for notify_waiters() from now on, awaited or not.
  ///
  /// Cancellation: safe; a wait that was chosen but is dropped passes its notification on. Waiters are served in the
  /// order in which they were first awaited: one that is dropped and made anew loses its place.
  [[nodiscard]] Notified notified() noexcept;
  /// The same for a wait that keeps its Notify alive. Throws std::bad_weak_ptr unless a shared_ptr owns this.
  [[nodiscard]] OwnedNotified notified_owned();

  /// Wakes the longest waiting; if nobody waits, keeps the notification for the next one.
  void notify_one() noexcept { notify(Kind::kOldest); }
  /// Wakes the one that came last; if nobody waits, keeps the notification for the next one.
  void notify_last() noexcept { notify(Kind::kNewest); }
  /// Completes every wait made before this call, and keeps nothing.
  void notify_waiters() noexcept;

 private:
  friend class Notified;
  enum class Kind : unsigned char { kNone, kOldest, kNewest, kAll };
  struct Node : detail::WaitNode {
    std::atomic<Kind> kind = Kind::kNone;  // Written under the lock once it is linked, read by its owner at any time.
  };

  void notify(Kind kind) noexcept;
  [[nodiscard]] detail::Waker notify_locked(Kind kind) noexcept;

  // Two bits: empty, somebody waits, or a notification is kept; above them the count of notify_waiters(). "Somebody
  // waits" is set and cleared under the lock only.
  std::atomic<std::size_t> state_ = 0;
  detail::FutexLock lock_;
  detail::WaitList<Node> waiters_;
};

/// Awaiting it waits for a notification; see Notify::notified().
///
/// Threading: confined to one task.
/// Lifetime: must not outlive its Notify. One that already waits loses its place when it is moved.
/// Cancellation: safe; see Notify::notified(). Takes nothing from the task's budget.
class [[nodiscard]] Notified {
 public:
  Notified(Notified&& other) noexcept
      : notify_(other.notify_),
        calls_(other.calls_),
        stage_(other.stage_ == Stage::kDone ? Stage::kDone : Stage::kNew) {}
  Notified& operator=(Notified&&) = delete;
  ~Notified();

  /// Joins the queue without awaiting, so that a later notify_one() counts for it. True if a notification was there
  /// already, which it takes: then awaiting it is immediate.
  bool enable() noexcept { return poll_with(nullptr); }

  /// Internal, for co_await.
  bool poll(PollContext& context) noexcept { return poll_with(&context); }
  void take() noexcept {}
  /// Internal: as if it were made now. Only when it is ready or was never polled.
  void renew() noexcept;

 private:
  friend class Notify;
  enum class Stage : unsigned char { kNew, kWaiting, kDone };

  explicit Notified(Notify& notify) noexcept;
  bool poll_with(const PollContext* context) noexcept;
  bool start(const PollContext* context) noexcept;
  bool check(const PollContext* context) noexcept;
  [[nodiscard]] bool was_called(std::size_t state) const noexcept;

  Notify* notify_;
  std::size_t calls_;  // Of notify_waiters(), when this was made.
  Notify::Node node_;
  Stage stage_ = Stage::kNew;
};

/// A Notified that keeps its Notify alive, so that it can be stored or moved into a task.
///
/// Threading: confined to one task.
/// Cancellation: safe; see Notify::notified().
class [[nodiscard]] OwnedNotified {
 public:
  OwnedNotified(OwnedNotified&& other) noexcept = default;
  OwnedNotified& operator=(OwnedNotified&&) = delete;

  /// See Notified::enable().
  bool enable() noexcept { return notified_.enable(); }

  /// Internal, for co_await.
  bool poll(PollContext& context) noexcept { return notified_.poll(context); }
  void take() noexcept {}

 private:
  friend class Notify;
  explicit OwnedNotified(std::shared_ptr<Notify> notify) noexcept
      : notify_(std::move(notify)), notified_(notify_->notified()) {}

  std::shared_ptr<Notify> notify_;
  Notified notified_;
};

inline Notified Notify::notified() noexcept { return Notified(*this); }
inline OwnedNotified Notify::notified_owned() { return OwnedNotified(shared_from_this()); }

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
