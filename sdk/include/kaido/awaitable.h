/// Awaitables of your own, and those of other libraries.
///
/// An awaitable of Kaido's is a class with two members:
///
///     bool poll(kaido::PollContext& context);   // true: take() may be called, once
///     T take();                                 // the outcome
///
/// and a destructor that gives up. `co_await`, spawn(), select, join, timeout and the rest then take it. The rules:
///
///   - poll() returning false has left context.waker() where the completing side finds it (store_waker() is the usual
///     line). That side calls wake() on it, on any thread; wakers are woken and dropped outside of locks.
///   - poll() may come at any time, although nothing has happened: a task has one wake-up for all that it waits for. So
///     it looks again, and the waker may be another one each time.
///   - The destructor may run before the first poll, between polls and after take(), on the thread of the task.
///   - What many can be ready in a row begins poll() with `if (!context.may_proceed()) return false;` and says
///     context.spend() when it is ready, so that a loop over it lets others run (docs/sdk/runtime.md, the budget).
///
///     class Flag::Wait {
///      public:
///       explicit Wait(Flag& flag) : flag_(flag) {}
///       bool poll(kaido::PollContext& context) { return flag_.is_set_or_keeps(context); }
///       void take() {}
///     };
///
/// sdk/examples/awaitable.cc has all of it. What cannot be destroyed at any moment, because it has lent memory to
/// somebody, has one more member:
///
///     kaido::Dropped poll_drop(kaido::PollContext& context) noexcept;
///
/// The first call gives up: it cancels, and poll() does not follow. On kWaits, context.waker() is woken once another
/// call may say more; on kGone it is destroyed; on kOutcome it was done nevertheless, and take() gives what happened.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include <kaido/detail/branch.h>
#include <kaido/detail/poll.h>
#include <kaido/detail/standard_awaiter.h>
#include <kaido/detail/temporary.h>
#include <kaido/detail/waker.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Whether `co_await std::move(a)` is possible in a Task as it is. from_awaiter() makes one of a standard awaiter.
template <typename A>
concept Awaitable = detail::Pollable<A> || detail::IsTask<A>::value;

/// A standard awaiter (await_ready, await_suspend, await_resume), or what has an operator co_await, as an awaitable of
/// Kaido's, for spawn, select, join and timeout: given away, or by name, and then only waited for. A plain `co_await`
/// in a Task does the same by itself.
///
/// Threading: it may be resumed on any thread; the task goes on on its own.
/// Cancellation: standard awaiters know none. One that waits when it is given up is waited for; so nothing of it may
/// outlive the runtime, whose end waits, too. Given up by a timeout, an abort or the runtime's end, its outcome counts.
/// As the loser of a select, or a branch of a join that fails, its outcome is dropped, and await_resume() not called.
/// Where that must not be, spawn it and give the handle by name: it can lose, and be awaited again.
/// Errors: those of the awaiter.
template <typename A>
  requires detail::StandardAwaitable<A>
detail::FromAwaiter<A> from_awaiter(A&& awaitable) {
  static_assert(detail::check_temporaries<A>());
  return detail::FromAwaiter<A>(std::forward<A>(awaitable));
}

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
