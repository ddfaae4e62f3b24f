/// OnceCell<T>: a value that is made when it is first needed, by one task while the others wait.
///
///     kaido::OnceCell<Connection> connection;
///     const Connection& c = co_await connection.get_or_init([] { return connect(); });
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <kaido/detail/branch.h>
#include <kaido/detail/late_value.h>
#include <kaido/detail/futex_lock.h>
#include <kaido/detail/wait_list.h>
#include <kaido/expected.h>
#include <kaido/result.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Why OnceCell::set() refused, with the value that was refused.
template <typename T>
class SetError {
 public:
  enum class Kind : std::uint8_t {
    kAlreadyInitialized,  ///< there is a value
    kInitializing,        ///< somebody is making one
  };
  SetError(Kind kind, T value) : value(std::move(value)), kind_(kind) {}
  [[nodiscard]] bool is_already_init_err() const noexcept { return kind_ == Kind::kAlreadyInitialized; }
  [[nodiscard]] bool is_initializing_err() const noexcept { return kind_ == Kind::kInitializing; }
  [[nodiscard]] std::string_view message() const noexcept {
    return is_already_init_err() ? "the OnceCell has a value already" : "the OnceCell's value is being made";
  }

  T value;

 private:
  Kind kind_;
};

namespace detail {

/// Who may make the value: one at a time; the right is handed on, in the order of asking, by who fails.
///
/// Threading: thread-safe.
class OnceGate {
 public:
  enum class Entry : std::uint8_t { kPending, kGranted, kDone };
  struct Node : WaitNode {
    bool is_granted = false;
  };

  explicit OnceGate(bool is_done) noexcept : state_(is_done ? State::kDone : State::kEmpty) {}

  [[nodiscard]] bool is_done() const noexcept { return state_.load(std::memory_order_acquire) == State::kDone; }
  /// Asks for the right, or whether there is no need of it any more.
  Entry enter(Node& node, const PollContext& context) noexcept;
  /// Asks without waiting.
  [[nodiscard]] Entry try_enter() noexcept;
  /// The one who has the right made the value, or failed.
  void finish() noexcept;
  void pass_on() noexcept;
  /// Drops a request that is waiting or granted.
  void leave(Node& node) noexcept;
  void reset() noexcept { state_.store(State::kEmpty); }

 private:
  enum class State : std::uint8_t { kEmpty, kRunning, kDone };

  std::atomic<State> state_;  // Changed under lock_.
  FutexLock lock_;
  WaitList<Node> waiters_;
};

/// What an initializer's outcome makes of the cell: the plain value, or something that may hold an error instead.
template <typename V>
struct InitOutcome {
  using Output = const V*;
};
template <typename T, typename E>
struct InitOutcome<Expected<T, E>> {
  using Output = Expected<const T*, E>;
};
template <typename T>
struct InitOutcome<Result<T>> {
  using Output = Result<const T*>;
};

template <typename T, typename B, bool kCanFail>
class OnceInit;

}  // namespace detail

/// Threading: thread-safe.
/// Lifetime: outlives the initialisations under way; needs no runtime. References to the value live as long, unless
/// take() or into_inner() moves it out.
template <typename T>
class OnceCell {
 public:
  OnceCell() noexcept : gate_(false) {}
  /// With a value from the start, or not.
  explicit OnceCell(T value) : gate_(true) { value_.emplace(std::move(value)); }
  [[nodiscard]] static OnceCell new_with(std::optional<T> value) { return OnceCell(std::move(value), Tag()); }
  OnceCell(const OnceCell&) = delete;
  OnceCell& operator=(const OnceCell&) = delete;
  ~OnceCell() {
    if (initialized()) value_.destroy();
  }

  /// The value, or null.
  [[nodiscard]] const T* get() const noexcept { return gate_.is_done() ? &*value_ : nullptr; }
  [[nodiscard]] T* get_mut() noexcept { return gate_.is_done() ? &*value_ : nullptr; }
  [[nodiscard]] bool initialized() const noexcept { return gate_.is_done(); }

  /// Sets the value unless there is one, or one is being made: then it is given back.
  Expected<void, SetError<T>> set(T value) {
    using Kind = typename SetError<T>::Kind;
    const detail::OnceGate::Entry entry = gate_.try_enter();
    if (entry == detail::OnceGate::Entry::kDone) {
      return Unexpected(SetError<T>(Kind::kAlreadyInitialized, std::move(value)));
    }
    if (entry == detail::OnceGate::Entry::kPending) {
      return Unexpected(SetError<T>(Kind::kInitializing, std::move(value)));
    }
    fill(std::move(value));
    return {};
  }

  /// Awaiting it gives `const T&`: the value there is, or that which `init` makes, a Task<T> or a callable that returns
  /// one. Callers meanwhile wait; one that throws or is cancelled hands the right to try on to the longest waiting. An
  /// exception of `init` passes through. An `init` that asks for the same cell's value waits for itself.
  ///
  /// Cancellation: safe for the cell; `init` is destroyed where it is suspended, and the next caller starts anew.
  template <typename F>
  [[nodiscard]] auto get_or_init(F&& init) {
    using B = typename detail::BranchOf<F>::type;
    return detail::OnceInit<T, B, false>(*this, detail::make_branch(std::forward<F>(init)));
  }
  /// The same for an `init` that gives Expected<T, E> or Result<T>: awaiting it gives a `const T*` (never null) or the
  /// error, and after an error the cell is as empty as before.
  template <typename F>
  [[nodiscard]] auto get_or_try_init(F&& init) {
    using B = typename detail::BranchOf<F>::type;
    return detail::OnceInit<T, B, true>(*this, detail::make_branch(std::forward<F>(init)));
  }

  /// The value moved out; the cell is empty then. Only when nobody else uses it.
  [[nodiscard]] std::optional<T> take() {
    if (!initialized()) return std::nullopt;
    std::optional<T> value(std::move(*value_));
    gate_.reset();
    value_.destroy();
    return value;
  }
  [[nodiscard]] std::optional<T> into_inner() && { return take(); }

 private:
  template <typename, typename, bool>
  friend class detail::OnceInit;
  struct Tag {};
  OnceCell(std::optional<T> value, Tag) : gate_(value.has_value()) {
    if (value) value_.emplace(*std::move(value));
  }

  // By the one who has the right to.
  template <typename U>
  void fill(U&& value) {
    try {
      value_.emplace(std::forward<U>(value));
    } catch (...) {
      gate_.pass_on();
      throw;
    }
    gate_.finish();
  }

  detail::LateValue<T> value_;
  detail::OnceGate gate_;
};

namespace detail {

/// The awaitable of get_or_init and get_or_try_init.
template <typename T, typename B, bool kCanFail>
class [[nodiscard]] OnceInit {
  using InitValue = typename B::Value;
  using Failure = std::conditional_t<kCanFail, std::optional<std::remove_cvref_t<InitValue>>, Unit>;

 public:
  OnceInit(OnceCell<T>& cell, B init) : cell_(&cell), init_(std::move(init)) {}
  /// Only before it is first awaited.
  OnceInit(OnceInit&& other) noexcept(std::is_nothrow_move_constructible_v<B>)
      : cell_(other.cell_), init_(std::move(other.init_)) {}
  OnceInit& operator=(OnceInit&&) = delete;
  ~OnceInit() {
    if (stage_ == Stage::kRunning) init_.reset();  // Before the next one tries.
    leave();
  }

  bool poll(PollContext& context) {
    if (stage_ == Stage::kNew) stage_ = cell_->gate_.is_done() ? Stage::kDone : Stage::kWaiting;
    if (stage_ == Stage::kWaiting) {
      const OnceGate::Entry entry = cell_->gate_.enter(node_, context);
      if (entry == OnceGate::Entry::kPending) return false;
      stage_ = entry == OnceGate::Entry::kDone ? Stage::kDone : Stage::kRunning;
    }
    return stage_ == Stage::kDone || run(context);
  }
  Dropped poll_drop(PollContext& context) noexcept
    requires B::kDrainable
  {
    const Dropped dropped = stage_ == Stage::kRunning ? init_.poll_drop(context) : Dropped::kGone;
    if (dropped != Dropped::kOutcome) return dropped;
    try {
      settle(init_.take());
      return Dropped::kOutcome;
    } catch (...) {
      init_.reset();
      leave();
      return Dropped::kGone;
    }
  }
  decltype(auto) take() {
    if constexpr (kCanFail) {
      using Output = typename InitOutcome<std::remove_cvref_t<InitValue>>::Output;
      if (failure_) return Output(std::move(*failure_).error());
      return Output(cell_->get());
    } else {
      return static_cast<const T&>(*cell_->get());
    }
  }

 private:
  enum class Stage : std::uint8_t { kNew, kWaiting, kRunning, kDone };

  bool run(PollContext& context) {
    try {
      if (!init_.poll(context)) return false;
      settle(init_.take());
    } catch (...) {
      init_.reset();
      leave();
      throw;
    }
    return true;
  }
  template <typename V>
  void settle(V&& outcome) {
    if constexpr (!std::is_reference_v<InitValue>) init_.reset();
    if constexpr (kCanFail) {
      if (!outcome) {
        failure_.emplace(std::forward<V>(outcome));
        leave();
        return;
      }
      stage_ = Stage::kDone;
      cell_->fill(*std::forward<V>(outcome));
    } else {
      stage_ = Stage::kDone;
      cell_->fill(std::forward<V>(outcome));
    }
  }
  // Gives up the place or the right.
  void leave() noexcept {
    const Stage left = std::exchange(stage_, Stage::kDone);
    if (left == Stage::kRunning) cell_->gate_.pass_on();
    if (left == Stage::kWaiting) cell_->gate_.leave(node_);
  }

  OnceCell<T>* cell_;
  B init_;
  OnceGate::Node node_;
  [[no_unique_address]] Failure failure_{};
  Stage stage_ = Stage::kNew;
};

}  // namespace detail
}  // namespace kaido::inline abi0
#pragma GCC visibility pop
