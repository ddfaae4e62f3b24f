/// Asio inside Kaido: its operations and coroutines awaited in Tasks, the runtime as an executor of Asio's. Includes
/// Asio.
///
///     asio::ip::tcp::socket socket(kaido::io_executor());
///     auto read = co_await socket.async_read_some(asio::buffer(data), kaido::use_task);
///     if (!read) co_return read.error() == asio::error::eof ? done : failed;
///     consume(*read);
///
///     auto reply = co_await kaido::timeout(1s, kaido::from_asio(resolve_and_fetch(host)));   // an asio::awaitable
///
///     asio::co_spawn(kaido::executor(), session(std::move(stream)), asio::detached);         // Asio's own coroutines
///
/// An operation of Asio's borrows buffers and streams from the frame that awaits it. So a frame that waits in one is
/// not destroyed at once when its task is aborted, or when its branch of a select or its timeout loses: the operation
/// is cancelled, and the frame goes when that has completed. If it has done its work all the same, the frame first goes
/// on with its outcome, as far as its next wait: bytes and connections are not lost. Whoever drops it waits for that:
/// select, timeout, join, the abort (the task is finished later), the runtime's end. Dropping a JoinSet or aborting
/// waits for nothing itself. What cannot be cancelled (a name look-up) is waited for until it ends by itself.
#pragma once

#include <concepts>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <kaido/detail/asio_executor.h>
#include <kaido/detail/asio_operation.h>
#include <kaido/detail/io.h>
#include <kaido/expected.h>
#include <kaido/handle.h>
#include <kaido/join.h>
#include <kaido/join_handle.h>
#include <kaido/result.h>
#include <kaido/spawn.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// What an operation gives that may fail with an error code: `if (result)`, `*result`, `result.error()`, and
/// `result.value()`, which throws boost::system::system_error. select's on_value and try_join take it. Operations of
/// kaido::net give a kaido::net::IoResult, the same with a std::error_code.
template <typename T>
using IoResult = Expected<T, boost::system::error_code>;

/// The executor of the runtime's own I/O loop, for sockets, timers and streams. Handlers run on a thread of the
/// runtime, one at a time, in the runtime's context; they must be short and must not throw. Without an argument that of
/// the current runtime: throws std::logic_error outside one.
///
/// Lifetime: keeps nothing alive. Objects made with it must end before the runtime's last Handle.
[[nodiscard]] inline boost::asio::io_context::executor_type io_executor(const Handle& handle) noexcept {
  return detail::io_context(handle).get_executor();
}
[[nodiscard]] inline boost::asio::io_context::executor_type io_executor() { return io_executor(Handle::current()); }

/// The runtime as an executor: what is posted runs as tasks of the runtime, on any of its workers. For
/// asio::co_spawn, Beast's examples and everything else written for an executor. As with an asio::thread_pool, what
/// must not run at the same time needs an asio::strand of it. See detail::Executor for its rules.
using Executor = detail::AsioExecutor;
[[nodiscard]] inline Executor executor(const Handle& handle) noexcept { return Executor(handle.core()); }
[[nodiscard]] inline Executor executor() { return executor(Handle::current()); }

namespace detail {

/// Initiates on the awaiting thread; the rest of the operation runs on the runtime's I/O loop.
class IoTarget {
 public:
  using executor_type = boost::asio::io_context::executor_type;
  [[nodiscard]] static executor_type executor() { return io_executor(); }
  template <typename F>
  static void initiate(const executor_type&, F&& function) {
    std::forward<F>(function)();
  }
};

/// Initiates on the executor itself.
template <typename E>
class OnTarget {
 public:
  using executor_type = E;
  explicit OnTarget(E on) noexcept : executor_(std::move(on)) {}
  [[nodiscard]] executor_type executor() const noexcept { return executor_; }
  template <typename F>
  static void initiate(const executor_type& on, F&& function) {
    boost::asio::dispatch(on, std::forward<F>(function));
  }

 private:
  E executor_;
};

}  // namespace detail

/// The completion token by which an operation of Asio's becomes awaitable in a Task. Nothing starts before the await;
/// the outcome follows from the operation's signature:
///
///     void(error_code)               IoResult<void>
///     void(error_code, T)            IoResult<T>, and IoResult<std::tuple<T...>> for several
///     void(exception_ptr, T)         T, or the exception is thrown
///     void(T), void()                T, nothing
///
/// Asio's adapters work on it: `asio::as_tuple(kaido::use_task)` gives `std::tuple<error_code, std::size_t>`, which
/// keeps the byte count beside an error; `asio::redirect_error(kaido::use_task, error)` gives the rest. As the default
/// token of a socket or stream: `kaido::UseTask<>::as_default_on_t<tcp::socket>`.
///
/// Threading: a stream (TLS, WebSocket) is used by one operation at a time, as by one thread. To read and write one
/// stream at the same time on a multi-thread runtime, give it a strand and start its operations there:
/// `use_task.on(stream.get_executor())`.
/// Lifetime: buffers and streams must outlive the operation, which the frame that awaits it sees to.
/// Cancellation: the operation is cancelled (per-operation cancellation of all types) and waited for. Given up by a
/// timeout or an abort, async_read_some and async_accept lose nothing: what they have done all the same is given. As
/// the loser of a select, or beside the branch of a join or try_join that failed, they lose that; operation() does not.
/// A composed async_read or async_write may have moved a
/// part of its bytes, after which the stream is of no use any more. What completes with neither an error code nor an
/// exception_ptr (redirect_error) counts as done: look at the code.
template <typename Target = detail::IoTarget>
class UseTask {
 public:
  constexpr UseTask() noexcept
    requires std::is_default_constructible_v<Target>
  = default;
  constexpr explicit UseTask(Target target) noexcept : target_(std::move(target)) {}

  /// Starts, continues and cancels the operation on `executor` (a strand).
  template <typename E>
  [[nodiscard]] UseTask<detail::OnTarget<E>> on(E executor) const {
    return UseTask<detail::OnTarget<E>>(detail::OnTarget<E>(std::move(executor)));
  }

  template <typename InnerExecutor>
  struct executor_with_default : InnerExecutor {  // NOLINT: Asio's name
    using default_completion_token_type = UseTask;
    template <typename E>
      requires(!std::is_same_v<E, executor_with_default> && std::is_convertible_v<E, InnerExecutor>)
    executor_with_default(const E& executor) noexcept : InnerExecutor(executor) {}  // NOLINT: converts
  };
  /// The I/O object type T with this as its default completion token.
  template <typename T>
  using as_default_on_t = typename T::template rebind_executor<executor_with_default<typename T::executor_type>>::other;

  [[nodiscard]] const Target& target() const noexcept { return target_; }

 private:
  [[no_unique_address]] Target target_;
};

inline constexpr UseTask<> use_task;

namespace detail {

/// A callable that starts an operation of Asio's: it returns what an initiating function with use_task gives.
template <typename F>
concept StartsOperation = std::is_invocable_v<F&> && Drainable<std::invoke_result_t<F&>> &&
                          requires(std::invoke_result_t<F&> operation) { operation.abandon(std::shared_ptr<void>()); };

}  // namespace detail

/// An operation of Asio's with a name: it stays under way when an await of it loses, and the next await takes its
/// outcome. What `start` captures is what the operation may use, and lives until it has ended. See operation().
///
/// Threading: confined to one task.
/// Lifetime: dropping it cancels what is under way and does not wait; what it then did is lost.
/// Cancellation: safe; a dropped await loses nothing.
template <detail::StartsOperation F>
class [[nodiscard]] Operation {
  using UnderWay = std::invoke_result_t<F&>;

 public:
  explicit Operation(F start) : parts_(std::make_shared<Parts>(std::move(start))) {}
  Operation(Operation&&) noexcept = default;
  Operation& operator=(Operation&&) = delete;
  ~Operation() {
    if (parts_ && parts_->under_way) parts_->under_way->abandon(parts_);
  }

  /// True while one is under way whose outcome was not taken.
  [[nodiscard]] bool is_under_way() const noexcept { return parts_->under_way.has_value(); }

  /// Internal, for co_await.
  bool poll(PollContext& context) {
    if (!parts_->under_way) parts_->under_way.emplace(detail::CallInPlace<F>(parts_->start));
    return parts_->under_way->poll(context);
  }
  decltype(auto) take() {
    const Taken taken{*parts_};
    return parts_->under_way->take();
  }

 private:
  struct Parts {
    explicit Parts(F how) : start(std::move(how)) {}
    F start;
    std::optional<UnderWay> under_way;
  };
  struct Taken {
    Parts& parts;
    ~Taken() { parts.under_way.reset(); }
  };

  std::shared_ptr<Parts> parts_;
};

/// Makes a named operation: `start()` starts one each time it is awaited and none is under way. It owns what it uses:
/// capture stream and buffer by shared_ptr.
///
///     auto data = std::make_shared<std::array<char, 4096>>();
///     auto read = kaido::operation(
///         [socket, data] { return socket->async_read_some(asio::buffer(*data), kaido::use_task); });
///     for (;;) {
///       co_await kaido::select(kaido::on(read, [&](kaido::IoResult<std::size_t> count) { ... }),   // by name
///                              kaido::on(commands.recv(), [&](std::optional<Command> command) { ... }));
///     }
template <detail::StartsOperation F>
[[nodiscard]] Operation<F> operation(F start) {
  return Operation<F>(std::move(start));
}

namespace detail {

template <typename T, typename Handler>
Task<void> deliver(JoinHandle<T> joined, Handler handler) {
  const auto work = boost::asio::make_work_guard(handler);
  Result<T> result = co_await joined;
  auto completion = [handler = std::move(handler), result = std::move(result)]() mutable {
    std::move(handler)(std::move(result));
  };
  boost::asio::post(work.get_executor(), std::move(completion));
}

}  // namespace detail

/// Awaits an asio::awaitable in a Task: it runs on `executor` (without one on the runtime's I/O loop), and gives its
/// value or throws its exception.
///
/// Cancellation: the awaitable gets a terminal cancellation, and is waited for. A value that it gives all the same
/// counts; that it ends without one, or with an exception, does not.
/// Errors: without an executor it throws std::logic_error outside a runtime.
template <typename T, typename E, typename On>
auto from_asio(boost::asio::awaitable<T, E> awaitable, On executor) {
  // Completed and cancelled there too: no thread of another context is left inside the runtime's own.
  return boost::asio::co_spawn(executor, std::move(awaitable), use_task.on(executor));
}
template <typename T, typename E>
auto from_asio(boost::asio::awaitable<T, E> awaitable) {
  return from_asio(std::move(awaitable), io_executor());
}

/// The other way round: spawns `task` on the runtime and completes an operation of Asio's with its Result, so that an
/// asio::awaitable can await it: `co_await kaido::async_spawn(handle, task(), asio::use_awaitable)`.
///
/// Cancellation: cancelling the operation aborts the task; it completes with kCancelled when the task's frame is gone.
/// Lifetime: if the runtime ends, so does the task, and the handler is destroyed without being called.
template <typename T, typename Token>
auto async_spawn(const Handle& handle, Task<T> task, Token&& token) {
  return boost::asio::async_initiate<Token, void(Result<T>)>(
      [handle](auto handler, Task<T> inner) {
        JoinHandle<T> joined = handle.spawn(std::move(inner));
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected()) {
          slot.assign([abort = joined.abort_handle()](boost::asio::cancellation_type) { abort.abort(); });
        }
        static_cast<void>(handle.spawn(detail::deliver(std::move(joined), std::move(handler))));
      },
      token, std::move(task));
}

}  // namespace kaido::inline abi0
#pragma GCC visibility pop

/// How Asio makes what use_task stands for.
template <typename Target, typename R, typename... Values>
class boost::asio::async_result<kaido::UseTask<Target>, R(Values...)> {  // NOLINT: Asio's name
 public:
  template <typename Initiation, typename... Args>
  static auto initiate(Initiation&& initiation, const kaido::UseTask<Target>& token, Args&&... arguments) {
    return kaido::detail::AsioOperation<R(Values...), Target, std::decay_t<Initiation>, std::decay_t<Args>...>(
        token.target(), std::forward<Initiation>(initiation), std::forward<Args>(arguments)...);
  }
};
