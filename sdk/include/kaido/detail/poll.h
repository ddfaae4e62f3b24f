/// How nested coroutines are polled: PollSlot, and the outcome of a coroutine.
///
/// A PollSlot is one chain of coroutines awaiting each other: it knows what the innermost waits for (a leaf) and whom
/// to resume when that is ready. A spawned task has one; so has each branch of a combinator such as `timeout`. Polling
/// the slot polls the leaf and, if that is ready, resumes the chain until it waits again or is done.
///
/// Before a chain that still waits is destroyed, poll_drop() must have said that it may be: a leaf that has lent memory
/// of the frame to a foreign operation (Asio's) cancels that operation and says no until it has completed. If it has
/// completed with an outcome after all, the chain goes on with that as far as its next wait, and is dropped there.
///
/// Coroutines hand over to each other by returning to the loop in PollSlot::poll (a trampoline) and not by symmetric
/// transfer: g++ 12 makes those tail calls only when it optimises, so that a long loop of `co_await` would overflow the
/// stack in debug and sanitizer builds. The loop costs the same.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <new>
#include <type_traits>
#include <utility>

#include <kaido/detail/waker.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// Memory for coroutine frames and task cells, from free lists per thread.
[[nodiscard]] void* allocate_frame(std::size_t size);
void free_frame(void* frame, std::size_t size) noexcept;

/// What a leaf is asked.
enum class LeafStep : bool {
  kPoll,  ///< answered with kWaits, or kOutcome for ready
  kDrop,  ///< as poll_drop() answers; after the first such question only this one is asked
};

/// What the innermost coroutine of a chain waits for.
struct Leaf {
  Dropped (*step)(Leaf* leaf, PollContext& context, LeafStep step) noexcept;
};

struct PollSlot {
  std::coroutine_handle<> resume_point = nullptr;
  Leaf* leaf = nullptr;
  PollContext* context = nullptr;
  bool done = false;

  /// True when the outermost coroutine has finished.
  bool poll(PollContext& current) noexcept {
    context = &current;
    if (leaf != nullptr) {
      if (leaf->step(leaf, current, LeafStep::kPoll) == Dropped::kWaits) return false;
      leaf = nullptr;
    }
    while (!done && leaf == nullptr) resume_point.resume();
    return done;
  }
  /// kOutcome: the outermost coroutine has finished. The chain is not polled any more after this was first called.
  Dropped poll_drop(PollContext& current) noexcept {
    PollContext last = current.giving_up();
    while (!done) {
      if (leaf == nullptr) return Dropped::kGone;  // Not started.
      const Dropped dropped = leaf->step(leaf, last, LeafStep::kDrop);
      if (dropped != Dropped::kOutcome) return dropped;
      context = &last;
      leaf = nullptr;
      while (!done && leaf == nullptr) resume_point.resume();
    }
    return Dropped::kOutcome;
  }
};

struct Unit {};
template <typename T>
using NonVoid = std::conditional_t<std::is_void_v<T>, Unit, T>;

/// Where a coroutine leaves its outcome: in the awaiter of its parent, or in the cell of a spawned task, so that the
/// frame can be destroyed before the outcome is read.
template <typename T>
class Outcome {
 public:
  using Value = NonVoid<T>;

  Outcome() noexcept {}
  Outcome(const Outcome&) = delete;
  Outcome& operator=(const Outcome&) = delete;
  ~Outcome() { reset(); }

  template <typename... Args>
  void set_value(Args&&... args) {
    new (&value_) Value(std::forward<Args>(args)...);
    state_ = State::kValue;
  }
  void set_exception(std::exception_ptr exception) noexcept {
    reset();
    new (&exception_) std::exception_ptr(std::move(exception));
    state_ = State::kException;
  }
  void reset() noexcept {
    if (state_ == State::kValue) value_.~Value();
    if (state_ == State::kException) exception_.~exception_ptr();
    state_ = State::kEmpty;
  }

  [[nodiscard]] bool has_value() const noexcept { return state_ == State::kValue; }
  [[nodiscard]] bool has_exception() const noexcept { return state_ == State::kException; }
  [[nodiscard]] Value& value() noexcept { return value_; }
  [[nodiscard]] std::exception_ptr take_exception() noexcept { return std::move(exception_); }

  /// The value, or the exception rethrown.
  T take() {
    if (has_exception()) std::rethrow_exception(take_exception());
    if constexpr (!std::is_void_v<T>) return std::move(value_);
  }

 private:
  enum class State : unsigned char { kEmpty, kValue, kException };
  union {
    Value value_;
    std::exception_ptr exception_;
  };
  State state_ = State::kEmpty;
};

template <typename A>
concept Pollable = requires(A& awaitable, PollContext& context) {
  { awaitable.poll(context) } -> std::same_as<bool>;
  awaitable.take();
};

/// A Pollable that may need time before it can be destroyed; see waker.h.
template <typename A>
concept Drainable = requires(A& awaitable, PollContext& context) {
  { awaitable.poll_drop(context) } -> std::same_as<Dropped>;
};

/// Gives up on any Pollable.
template <typename A>
Dropped poll_drop(A& awaitable, PollContext& context) noexcept {
  if constexpr (Drainable<A>) {
    return awaitable.poll_drop(context);
  } else {
    return Dropped::kGone;
  }
}

/// Adapts a Pollable to co_await: polls at once, and becomes the slot's leaf if that is not enough.
template <typename A>
class PollAwaiter final : private Leaf {
 public:
  PollAwaiter(A& awaitable, PollSlot& slot) noexcept : Leaf{&step_leaf}, awaitable_(awaitable), slot_(slot) {}

  bool await_ready() { return awaitable_.poll(*slot_.context); }
  void await_suspend(std::coroutine_handle<> awaiting) noexcept {
    slot_.resume_point = awaiting;
    slot_.leaf = this;
  }
  decltype(auto) await_resume() {
    if (exception_) std::rethrow_exception(std::move(exception_));
    return awaitable_.take();
  }

 private:
  // An exception of poll() belongs to the awaiting coroutine: it counts as ready and is rethrown there.
  static Dropped step_leaf(Leaf* leaf, PollContext& context, LeafStep step) noexcept {
    auto* self = static_cast<PollAwaiter*>(leaf);
    if (step == LeafStep::kDrop) return poll_drop(self->awaitable_, context);
    try {
      return self->awaitable_.poll(context) ? Dropped::kOutcome : Dropped::kWaits;
    } catch (...) {
      self->exception_ = std::current_exception();
      return Dropped::kOutcome;
    }
  }

  A& awaitable_;
  PollSlot& slot_;
  std::exception_ptr exception_;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
