/// NodeRuntime: distribution through this host's node, and the worker's end of it.
///
///     kaido::Task<int> serve() {                           // a worker program's main task
///       auto node = co_await kaido::NodeRuntime::connect();
///       if (!node) { ... node.error() ... }
///       co_await until_told_to_stop();
///       co_await node->shutdown();                         // lets running functions finish
///     }
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <kaido/handle.h>
#include <kaido/remote.h>
#include <kaido/result.h>
#include <kaido/task.h>

namespace kaido {

namespace detail {
class NodeConnection;
}

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
  /// How many calls this program runs at once, default 256; the node queues the rest or sends them elsewhere.
  NodeOptions& slots(std::uint32_t count) {
    slots_ = count;
    return *this;
  }
  /// Offers no function, whatever is registered: for programs that only call.
  NodeOptions& call_only() {
    slots_ = 0;
    return *this;
  }
  /// The name in `kaidoctl status` and logs; default: the program's.
  NodeOptions& app_name(std::string name) {
    app_name_ = std::move(name);
    return *this;
  }
  /// After this time without a connection, calls fail with kUnavailable instead of waiting for it; default 5 s. A
  /// connection that never was is not waited for.
  NodeOptions& unavailable_after(std::chrono::milliseconds limit) {
    unavailable_after_ = limit;
    return *this;
  }

  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] std::uint32_t slots() const { return slots_; }
  [[nodiscard]] const std::string& app_name() const { return app_name_; }
  [[nodiscard]] std::chrono::milliseconds unavailable_after() const { return unavailable_after_; }

 private:
  std::string socket_;
  std::string app_name_;
  std::uint32_t slots_ = 256;
  std::chrono::milliseconds unavailable_after_{5000};
};

/// A connection to the node, kept up: after the node's restart it is made again, the functions are offered again, calls
/// that may be repeated are sent again, and the others fail with kUnavailable.
///
/// Functions of this program that the node calls run as tasks of the runtime: several at once on a multi-thread
/// runtime. A plain function occupies its thread until it returns; one that blocks for long should use spawn_blocking
/// inside a function that returns a Task, or the worker a multi-thread runtime.
///
/// Threading: thread-safe.
/// Lifetime: dropping the last copy closes the connection at once; calls under way fail with kUnavailable.
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
  /// How many functions of this program are running for the node.
  [[nodiscard]] std::size_t running() const;

  /// Says goodbye: takes no new calls, lets running functions finish for up to `limit`, then cancels them and closes.
  [[nodiscard]] Task<void> shutdown(std::chrono::milliseconds limit = std::chrono::seconds(10)) const;

  /// Internal.
  [[nodiscard]] std::shared_ptr<detail::Backend> backend() const;
  explicit NodeRuntime(std::shared_ptr<detail::NodeConnection> connection) : connection_(std::move(connection)) {}

 private:
  std::shared_ptr<detail::NodeConnection> connection_;
};

/// Offers this program's functions on the current runtime's node and never ends by itself: aborting the task, or the
/// runtime's end, ends it. Waits for a node that is not there yet.
/// Errors: final ones only: the node refuses this program, or two functions collide.
[[nodiscard]] Task<Result<void>> serve_forever(NodeOptions options = NodeOptions());

}  // namespace kaido
