/// NodeRuntime: distribution through this host's node, and the worker's end of it.
///
///     kaido::Task<int> serve() {                           // a worker program's main task
///       auto node = co_await kaido::NodeRuntime::connect();
///       if (!node) { ... node.error() ... }
///       co_await kaido::shutdown_signal();
///       co_await node->shutdown();                         // lets running functions finish
///     }
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <kaido/detail/chrono.h>
#include <kaido/distributed_handle.h>
#include <kaido/handle.h>
#include <kaido/remote.h>
#include <kaido/result.h>
#include <kaido/task.h>
#include <kaido/time.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

class NodeOptions;

namespace detail {
class NodeConnection;

template <typename T>
Task<void> discard_value(Task<T> task) {
  static_cast<void>(co_await std::move(task));
}
[[nodiscard]] Task<Result<void>> serve_until(Task<void> request, NodeOptions options);
}  // namespace detail

/// How to connect to the node. A class with setters, chainable.
class NodeOptions {
 public:
  NodeOptions() = default;

  /// Where the node listens. Default: KAIDO_SOCKET, else /run/kaido/kaidod.sock if it exists, else
  /// $XDG_RUNTIME_DIR/kaido/kaidod.sock, else /tmp/kaido-<uid>/kaidod.sock.
  NodeOptions& socket(std::string path) {
    socket_ = std::move(path);
    return *this;
  }
  /// How many plain functions (they compute: each occupies a thread until it returns) this program runs at once; the
  /// node queues the rest or sends them elsewhere. Default: as many as the runtime has worker threads. 0: plain
  /// functions are not offered.
  NodeOptions& slots(std::uint32_t count) {
    slots_ = count;
    return *this;
  }
  /// The same for functions that return a Task, which wait most of the time; default 256. One that awaits a remote call
  /// does not count meanwhile, so that calls which call each other cannot take all slots and wait for ever.
  NodeOptions& task_slots(std::uint32_t count) {
    task_slots_ = count;
    return *this;
  }
  /// Offers no function, whatever is registered: for programs that only call.
  NodeOptions& call_only() { return slots(0).task_slots(0); }
  /// The name in `kaidoctl status` and logs; default: the program's.
  NodeOptions& app_name(std::string name) {
    app_name_ = std::move(name);
    return *this;
  }
  /// After this time without a connection, calls fail with kUnavailable instead of waiting for it; default 5 s, zero or
  /// less: at once. A connection that never was is not waited for.
  template <class Rep, class Period>
  NodeOptions& unavailable_after(std::chrono::duration<Rep, Period> limit) {
    unavailable_after_ = detail::saturate(limit);
    return *this;
  }
  /// A node from which nothing has come for this long is asked whether it is there (any byte proves it); default 1 s.
  /// Costs one wake-up per interval. Not less than 10 ms.
  template <class Rep, class Period>
  NodeOptions& ping_interval(std::chrono::duration<Rep, Period> interval) {
    ping_interval_ = detail::saturate(interval);
    return *this;
  }
  /// A node that has not answered for this long after it was asked counts as gone, though its socket is open (it was
  /// stopped, or is stuck): calls under way fail with kUnavailable, or are repeated if they may be; default 3 s. It may
  /// take as long to answer the greeting. Lower values take a node for dead that is only slow. Not less than 10 ms.
  template <class Rep, class Period>
  NodeOptions& ping_limit(std::chrono::duration<Rep, Period> limit) {
    ping_limit_ = detail::saturate(limit);
    return *this;
  }
  /// How many calls may wait in this program for the node's credit (its limits.calls_per_app) or for a connection; more
  /// fail with kRejected. Default 65536.
  NodeOptions& max_waiting_calls(std::size_t count) {
    max_waiting_calls_ = count;
    return *this;
  }

  /// How long serve_until() lets running functions finish; default 10 s.
  template <class Rep, class Period>
  NodeOptions& shutdown_limit(std::chrono::duration<Rep, Period> limit) {
    shutdown_limit_ = detail::saturate(limit);
    return *this;
  }

  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] std::optional<std::uint32_t> slots() const { return slots_; }
  [[nodiscard]] std::uint32_t task_slots() const { return task_slots_; }
  [[nodiscard]] const std::string& app_name() const { return app_name_; }
  [[nodiscard]] Duration unavailable_after() const { return unavailable_after_; }
  [[nodiscard]] Duration ping_interval() const { return ping_interval_; }
  [[nodiscard]] Duration ping_limit() const { return ping_limit_; }
  [[nodiscard]] Duration shutdown_limit() const { return shutdown_limit_; }
  [[nodiscard]] std::size_t max_waiting_calls() const { return max_waiting_calls_; }

 private:
  std::string socket_;
  std::string app_name_;
  std::optional<std::uint32_t> slots_;
  std::uint32_t task_slots_ = 256;
  Duration unavailable_after_ = std::chrono::seconds(5);
  Duration ping_interval_ = std::chrono::seconds(1);
  Duration ping_limit_ = std::chrono::seconds(3);
  Duration shutdown_limit_ = std::chrono::seconds(10);
  std::size_t max_waiting_calls_ = 65536;
};

/// A connection to the node, kept up: after the node's restart it is made again, the functions are offered again, calls
/// that may be repeated are sent again, and the others fail with kUnavailable.
///
/// Functions of this program that the node calls run as tasks of the runtime: several at once on a multi-thread
/// runtime. A plain function occupies its thread until it returns; one that blocks for long should use spawn_blocking
/// inside a function that returns a Task, or the worker a multi-thread runtime.
///
/// Threading: thread-safe.
/// Lifetime: owns the connection: dropping the last copy closes it at once, and calls under way fail with kUnavailable.
/// handle() is for who only makes calls, and may outlive it.
class NodeRuntime {
 public:
  /// On the current runtime. Completes when the node has accepted this program and its functions.
  /// Errors: kUnavailable if there is no node at the socket or it refuses (the reason is in the message),
  /// kInvalidArgument if two registered functions collide.
  [[nodiscard]] static Task<Result<NodeRuntime>> connect(NodeOptions options = NodeOptions());

  template <auto F>
  [[nodiscard]] Remote<F> remote() const {
    return Remote<F>(backend());
  }
  template <class S>
  [[nodiscard]] RemoteByName<S> remote(std::string_view name) const {
    return RemoteByName<S>(name, backend());
  }
  template <auto F, class... A>
  [[nodiscard]] auto spawn_fn(A&&... arguments) const {
    return remote<F>().spawn(std::forward<A>(arguments)...);
  }

  /// The node's name; empty until it has told.
  [[nodiscard]] std::string node_name() const;
  [[nodiscard]] bool is_connected() const;
  /// For who may outlive it, or is outside of the runtime: it does not keep the connection open.
  [[nodiscard]] DistributedHandle handle() const;
  [[nodiscard]] DistributedMetrics metrics() const;
  /// How many functions of this program are running for the node.
  [[nodiscard]] std::size_t running() const;

  /// Says goodbye: takes no new calls, lets running functions finish for up to `limit`, then cancels them and closes.
  template <class Rep, class Period>
  [[nodiscard]] KAIDO_CORO_WRAPPER Task<void> shutdown(std::chrono::duration<Rep, Period> limit) const {
    return shutdown_within(detail::saturate(limit));
  }
  [[nodiscard]] KAIDO_CORO_WRAPPER Task<void> shutdown() const { return shutdown(std::chrono::seconds(10)); }

  /// Internal.
  [[nodiscard]] std::shared_ptr<detail::Backend> backend() const;
  explicit NodeRuntime(std::shared_ptr<detail::NodeConnection> connection) : connection_(std::move(connection)) {}

 private:
  [[nodiscard]] Task<void> shutdown_within(Duration limit) const;

  std::shared_ptr<detail::NodeConnection> connection_;
};

/// Offers this program's functions on the current runtime's node and never ends by itself: aborting the task, or the
/// runtime's end, ends it. Waits for a node that is not there yet, or not any more, and says so on stderr
/// (KAIDO_LOCAL=quiet silences it).
/// Errors: final ones only: the node refuses this program, or two functions collide.
[[nodiscard]] Task<Result<void>> serve_forever(NodeOptions options = NodeOptions());

/// The same until `request` completes; then it takes no new calls, lets the running ones finish (for up to
/// NodeOptions::shutdown_limit) and says goodbye.
///
///     int main() {
///       auto runtime = kaido::Runtime::create().value();
///       return runtime.block_on(kaido::serve_until(kaido::shutdown_signal())).ok() ? 0 : 1;
///     }
///
/// An exception of the request passes through, after the goodbye.
template <typename T>
[[nodiscard]] KAIDO_CORO_WRAPPER Task<Result<void>> serve_until(Task<T> request, NodeOptions options = NodeOptions()) {
  return detail::serve_until(detail::discard_value(std::move(request)), std::move(options));
}

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
