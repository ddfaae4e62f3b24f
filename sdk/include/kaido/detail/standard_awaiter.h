/// How a Task awaits what was written for other coroutine libraries: types with await_ready, await_suspend and
/// await_resume, or an operator co_await that gives one.
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <kaido/detail/poll.h>
#include <kaido/detail/waker.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {

class Resumption;  // Where it arrives that somebody was resumed, on whatever thread.
[[nodiscard]] std::shared_ptr<Resumption> make_resumption();
/// True when it has arrived; else the context's waker is kept.
[[nodiscard]] bool poll_resumption(Resumption& resumption, const PollContext& context);
[[nodiscard]] bool has_arrived(Resumption& resumption);

/// A coroutine that does nothing but say that it was resumed. Its frame goes by itself then; before, destroy() it.
struct ResumePoint {
  struct promise_type {
    ResumePoint get_return_object() noexcept { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
    [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
  std::coroutine_handle<promise_type> handle;
};
[[nodiscard]] ResumePoint make_resume_point(std::shared_ptr<Resumption> resumption);

template <typename A>
concept HasMemberCoAwait = requires(A&& awaitable) { std::forward<A>(awaitable).operator co_await(); };
template <typename A>
concept HasFreeCoAwait = requires(A&& awaitable) { operator co_await(std::forward<A>(awaitable)); };

template <typename A>
decltype(auto) get_awaiter(A&& awaitable) {
  if constexpr (HasMemberCoAwait<A>) {
    return std::forward<A>(awaitable).operator co_await();
  } else if constexpr (HasFreeCoAwait<A>) {
    return operator co_await(std::forward<A>(awaitable));
  } else {
    return static_cast<A&&>(awaitable);
  }
}
template <typename A>
using AwaiterOf = decltype(get_awaiter(std::declval<A>()));

template <typename A>
concept IsAwaiter =
    requires(std::remove_reference_t<A>& awaiter, std::coroutine_handle<ResumePoint::promise_type> handle) {
      { awaiter.await_ready() } -> std::convertible_to<bool>;
      awaiter.await_suspend(handle);
      awaiter.await_resume();
    };
/// What the language lets any coroutine await, if nothing in it asks for a coroutine of its own kind.
template <typename A>
concept StandardAwaitable = !Pollable<std::remove_reference_t<A>> && IsAwaiter<AwaiterOf<A>>;

/// The awaitable of from_awaiter(): `A` is an object, which it keeps, or a reference to one that stays its owner's.
///
/// Threading: the resumption may come on any thread; the task goes on on its own.
/// Lifetime: movable until it is first polled.
template <typename A>
class [[nodiscard]] FromAwaiter {
  /// Non-movable awaiters are made in place.
  struct Holder {
    explicit Holder(A&& awaitable) : awaiter(get_awaiter(std::forward<A>(awaitable))) {}
    AwaiterOf<A> awaiter;
  };

 public:
  explicit FromAwaiter(A&& awaitable) : awaitable_(std::forward<A>(awaitable)) {}
  FromAwaiter(FromAwaiter&& other) noexcept(std::is_nothrow_constructible_v<A, A>)
      : awaitable_(std::forward<A>(other.awaitable_)) {}
  FromAwaiter& operator=(FromAwaiter&&) = delete;

  bool poll(PollContext& context) {
    if (stage_ == Stage::kReady) return true;
    if (stage_ == Stage::kNew) {
      if (context.gives_up()) return false;
      start(context);
    } else if (poll_resumption(*resumption_, context)) {
      stage_ = Stage::kReady;
    }
    return stage_ == Stage::kReady;
  }
  Dropped poll_drop(PollContext& context) {
    if (stage_ == Stage::kNew) return Dropped::kGone;
    return poll(context) ? Dropped::kOutcome : Dropped::kWaits;
  }
  decltype(auto) take() { return holder_->awaiter.await_resume(); }

 private:
  enum class Stage : unsigned char { kNew, kWaiting, kReady };

  void start(PollContext& context) {
    holder_.emplace(std::forward<A>(awaitable_));
    if (holder_->awaiter.await_ready()) {
      stage_ = Stage::kReady;
      return;
    }
    resumption_ = make_resumption();
    static_cast<void>(poll_resumption(*resumption_, context));
    stage_ = suspend() || has_arrived(*resumption_) ? Stage::kReady : Stage::kWaiting;
  }
  /// True if it does not wait after all.
  bool suspend() {
    const auto handle = make_resume_point(resumption_).handle;
    bool has_suspended = true;
    try {
      using Suspended = decltype(holder_->awaiter.await_suspend(handle));
      if constexpr (std::is_void_v<Suspended>) {
        holder_->awaiter.await_suspend(handle);
      } else if constexpr (std::is_same_v<Suspended, bool>) {
        has_suspended = holder_->awaiter.await_suspend(handle);
      } else {
        holder_->awaiter.await_suspend(handle).resume();
      }
    } catch (...) {
      if (!has_arrived(*resumption_)) handle.destroy();
      throw;
    }
    if (!has_suspended) handle.destroy();
    return !has_suspended;
  }

  A awaitable_;
  std::optional<Holder> holder_;
  std::shared_ptr<Resumption> resumption_;
  Stage stage_ = Stage::kNew;
};

/// `co_await` of one, in a Task.
template <typename A>
class StandardAwait final {
 public:
  StandardAwait(A&& awaitable, PollSlot& slot) : adapted_(std::forward<A>(awaitable)), awaiter_(adapted_, slot) {}
  StandardAwait(const StandardAwait&) = delete;
  StandardAwait& operator=(const StandardAwait&) = delete;

  bool await_ready() { return awaiter_.await_ready(); }
  void await_suspend(std::coroutine_handle<> awaiting) noexcept { awaiter_.await_suspend(awaiting); }
  decltype(auto) await_resume() { return awaiter_.await_resume(); }

 private:
  FromAwaiter<A> adapted_;
  PollAwaiter<FromAwaiter<A>> awaiter_;
};

template <typename A>
inline constexpr bool kNeverTrue = false;

}  // namespace detail
}  // namespace kaido::inline abi0
#pragma GCC visibility pop
