/// What kaido/asio.h is made of: an operation of Asio's as a Pollable, and the handler that completes it. Includes
/// Asio.
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <kaido/detail/poll.h>
#include <kaido/detail/futex_lock.h>
#include <kaido/detail/waker.h>
#include <kaido/expected.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

template <>
struct BadAccess<boost::system::error_code> {
  [[noreturn]] static void raise(const boost::system::error_code& error) { throw boost::system::system_error(error); }
};

/// Where an operation and its handler meet: the handler may be called, or destroyed, by any thread.
///
/// Threading: everything below the lock is guarded by it; the signal belongs to the operation's executor.
class AsioStateBase {
 public:
  AsioStateBase() = default;
  AsioStateBase(const AsioStateBase&) = delete;
  AsioStateBase& operator=(const AsioStateBase&) = delete;

  /// True when the handler was called or destroyed; else the context's waker is kept.
  bool poll(PollContext& context) {
    Waker dropped;
    const std::scoped_lock lock(lock_);
    if (is_done_) return true;
    if (!context.will_wake(waker_)) dropped = std::exchange(waker_, context.waker());
    return false;
  }
  void complete() noexcept {
    Waker woken;
    std::shared_ptr<void> released;
    {
      const std::scoped_lock lock(lock_);
      is_done_ = true;
      woken = std::move(waker_);
      released = std::move(kept_);
    }
    woken.wake();
  }
  /// Keeps what the operation uses until its handler is called or destroyed.
  void keep(std::shared_ptr<void> used) noexcept {
    const std::scoped_lock lock(lock_);
    if (!is_done_) kept_ = std::move(used);
  }
  [[nodiscard]] bool is_done() noexcept {
    const std::scoped_lock lock(lock_);
    return is_done_;
  }
  [[nodiscard]] bool start_cancelling() noexcept { return !std::exchange(is_cancelled_, true); }
  /// On the operation's executor.
  void emit() {
    if (!is_done()) signal_.emit(boost::asio::cancellation_type::all);
  }
  [[nodiscard]] boost::asio::cancellation_slot slot() noexcept { return signal_.slot(); }

  void add_ref() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  void drop_ref() noexcept {
    if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  virtual ~AsioStateBase() = default;

 private:
  std::atomic<unsigned> references_ = 1;
  bool is_cancelled_ = false;  // Of the awaiting task.
  boost::asio::cancellation_signal signal_;
  FutexLock lock_;
  bool is_done_ = false;
  Waker waker_;
  std::shared_ptr<void> kept_;
};

template <typename State>
class AsioRef {
 public:
  AsioRef() noexcept = default;
  /// Takes over a reference.
  explicit AsioRef(State* state) noexcept : state_(state) {}
  AsioRef(const AsioRef& other) noexcept : state_(other.state_) {
    if (state_ != nullptr) state_->add_ref();
  }
  AsioRef(AsioRef&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  AsioRef& operator=(AsioRef other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~AsioRef() {
    if (state_ != nullptr) state_->drop_ref();
  }

  State* operator->() const noexcept { return state_; }
  explicit operator bool() const noexcept { return state_ != nullptr; }

 private:
  State* state_ = nullptr;
};

/// What the handler was called with; nothing if it was destroyed instead, because its executor ended.
template <typename... Values>
class AsioState final : public AsioStateBase {
 public:
  std::optional<std::tuple<Values...>> values;

 private:
  ~AsioState() override = default;
};

/// The completion handler. Its executor is where the operation goes on between its steps, and where it is cancelled.
template <typename Executor, typename... Values>
class AsioHandler {
  using State = AsioState<Values...>;

 public:
  using executor_type = Executor;
  using cancellation_slot_type = boost::asio::cancellation_slot;

  AsioHandler(AsioRef<State> state, Executor executor) noexcept
      : state_(std::move(state)), executor_(std::move(executor)) {}
  AsioHandler(AsioHandler&&) noexcept = default;
  AsioHandler& operator=(AsioHandler&&) = delete;
  ~AsioHandler() {
    if (state_) state_->complete();
  }

  [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return state_->slot(); }

  template <typename... A>
  void operator()(A&&... arguments) {
    const AsioRef<State> state = std::move(state_);
    state->values.emplace(std::forward<A>(arguments)...);
    state->complete();
  }

 private:
  AsioRef<State> state_;
  Executor executor_;
};

/// The outcome of a handler's arguments that cannot be an error: nothing, the one, or a tuple of several.
template <typename... Values>
struct AsioValue {
  using Type = std::tuple<Values...>;
  static Type take(std::tuple<Values...>&& values) { return std::move(values); }
};
template <>
struct AsioValue<> {
  using Type = void;
  static void take(std::tuple<>&&) noexcept {}
};
template <typename T>
struct AsioValue<T> {
  using Type = T;
  static T take(std::tuple<T>&& values) { return std::get<0>(std::move(values)); }
};

/// The outcome of a completion signature's arguments; see use_task.
template <typename... Values>
struct AsioOutcome {
  using Type = typename AsioValue<Values...>::Type;
  static Type take(std::optional<std::tuple<Values...>>&& values) {
    if (!values) throw boost::system::system_error(boost::asio::error::operation_aborted);
    return AsioValue<Values...>::take(*std::move(values));
  }
};
template <typename... Values>
struct AsioOutcome<boost::system::error_code, Values...> {
  using Value = typename AsioValue<Values...>::Type;
  using Type = Expected<Value, boost::system::error_code>;
  using Failure = Unexpected<boost::system::error_code>;
  static Type take(std::optional<std::tuple<boost::system::error_code, Values...>>&& values) {
    if (!values) return Failure(boost::asio::error::operation_aborted);
    if (const auto& error = std::get<0>(*values)) return Failure(error);
    return std::apply(
        [](const boost::system::error_code&, Values&... rest) {
          if constexpr (sizeof...(Values) > 1) {
            return Type(std::tuple<Values...>(std::move(rest)...));
          } else {
            return Type(std::move(rest)...);
          }
        },
        *values);
  }
};

template <typename... Values>
struct AsioOutcome<std::exception_ptr, Values...> {
  using Type = typename AsioValue<Values...>::Type;
  static Type take(std::optional<std::tuple<std::exception_ptr, Values...>>&& values) {
    if (!values) throw boost::system::system_error(boost::asio::error::operation_aborted);
    if (std::get<0>(*values)) std::rethrow_exception(std::get<0>(*std::move(values)));
    return std::apply(
        [](std::exception_ptr&, Values&... rest) {
          return AsioValue<Values...>::take(std::tuple<Values...>(std::move(rest)...));
        },
        *values);
  }
};

/// Whether what a handler was called with says that the operation was cancelled. What carries no error says so never.
/// An exception of another type than system_error is taken for what the cancellation has made of it, and so is the
/// quiet end of a coroutine that has no value to give.
[[nodiscard]] inline bool says_cancelled(const boost::system::error_code& error) noexcept {
  return error == boost::asio::error::operation_aborted;
}
[[nodiscard]] inline bool says_cancelled(const std::exception_ptr& exception) noexcept {
  if (!exception) return false;
  try {
    std::rethrow_exception(exception);
  } catch (const boost::system::system_error& error) {
    return says_cancelled(error.code());
  } catch (...) {
    return true;
  }
}
template <typename T>
[[nodiscard]] bool says_cancelled(const T&) noexcept {
  return false;
}
[[nodiscard]] inline bool says_cancelled(const std::tuple<std::exception_ptr>&) noexcept { return true; }
template <typename... Values>
[[nodiscard]] bool says_cancelled(const std::tuple<Values...>& values) noexcept {
  if constexpr (sizeof...(Values) > 0) {
    return says_cancelled(std::get<0>(values));
  } else {
    return false;
  }
}
/// The same of a state: nothing is there if the handler was destroyed instead.
template <typename... Values>
[[nodiscard]] bool was_cancelled(const std::optional<std::tuple<Values...>>& values) noexcept {
  return !values || says_cancelled(*values);
}

/// An operation of Asio's that has not been started, or is under way. `Target` gives the executor of its handler.
template <typename Signature, typename Target, typename Initiation, typename... Args>
class AsioOperation;

template <typename R, typename... Values, typename Target, typename Initiation, typename... Args>
class [[nodiscard]] AsioOperation<R(Values...), Target, Initiation, Args...> {
  using Executor = typename Target::executor_type;
  using State = AsioState<std::decay_t<Values>...>;
  using Handler = AsioHandler<Executor, std::decay_t<Values>...>;
  using Outcome = AsioOutcome<std::decay_t<Values>...>;

 public:
  template <typename I, typename... A>
  AsioOperation(Target target, I&& initiation, A&&... arguments)
      : target_(std::move(target)), start_(std::in_place, std::forward<I>(initiation), std::forward<A>(arguments)...) {}
  AsioOperation(AsioOperation&&) = default;
  AsioOperation& operator=(AsioOperation&&) = delete;
  ~AsioOperation() {
    // Only where nobody could wait for it, as in a frame that a test destroys by hand.
    if (state_ && !state_->is_done()) cancel();
  }

  bool poll(PollContext& context) {
    if (!context.may_proceed() || (!state_ && context.gives_up())) return false;
    if (!state_) start();
    if (!state_->poll(context)) return false;
    context.spend();
    return true;
  }
  Dropped poll_drop(PollContext& context) noexcept {
    if (!state_) return Dropped::kGone;
    if (!state_->poll(context)) {
      cancel();
      return Dropped::kWaits;
    }
    return was_cancelled(state_->values) ? Dropped::kGone : Dropped::kOutcome;
  }
  typename Outcome::Type take() { return Outcome::take(std::move(state_->values)); }
  /// Cancels without waiting: `used`, which holds this operation and all that it uses, lives until it has ended.
  void abandon(std::shared_ptr<void> used) noexcept {
    if (!state_ || state_->is_done()) return;
    state_->keep(std::move(used));
    cancel();
  }

 private:
  struct Start {
    template <typename I, typename... A>
    explicit Start(I&& what, A&&... with) : initiation(std::forward<I>(what)), arguments(std::forward<A>(with)...) {}
    Initiation initiation;
    std::tuple<Args...> arguments;
  };

  void start() {
    executor_.emplace(target_.executor());
    state_ = AsioRef<State>(new State());
    target_.initiate(*executor_, [start = *std::exchange(start_, std::nullopt),
                                  handler = Handler(state_, *executor_)]() mutable {
      std::apply([&](Args&... arguments) { std::move(start.initiation)(std::move(handler), std::move(arguments)...); },
                 start.arguments);
    });
  }
  // On the executor, since neither a signal nor an operation may be touched by two threads.
  void cancel() noexcept {
    if (!state_->start_cancelling()) return;
    boost::asio::post(*executor_, [state = state_] { state->emit(); });
  }

  Target target_;
  std::optional<Executor> executor_;
  std::optional<Start> start_;
  AsioRef<State> state_;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
