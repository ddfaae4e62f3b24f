/// DistributedHandle: to a distributed runtime what Handle is to a runtime: by it, other threads and tasks make calls.
///
///     kaido::DistributedHandle cluster = kaido::DistributedHandle::current();      // inside a runtime
///     std::thread plain([cluster] {                                                // and from outside of one
///       kaido::Result<std::int64_t> count = cluster.block_on(cluster.remote<count_words>().call("to be"));
///     });
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <kaido/detail/pending_call.h>
#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/remote.h>
#include <kaido/spawn.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// A cheap, copyable reference to a runtime together with where its calls go: a node, or this process.
///
/// What spawn_fn(), remote() and current() give and take inside a runtime is the same connection: the free functions
/// are those of DistributedHandle::current().
///
/// Threading: thread-safe.
/// Lifetime: keeps neither the runtime running nor the connection open. Whoever owns the connection may drop or shut it
/// down at any time: calls then end with kUnavailable, and what is spawned after the runtime's end with kCancelled.
class DistributedHandle {
 public:
  /// That of this thread's runtime: of its NodeRuntime if it has one, else of what free calls use, made now if there is
  /// none yet. Throws std::logic_error outside a runtime.
  [[nodiscard]] static DistributedHandle current();
  /// The same, and nothing outside a runtime.
  [[nodiscard]] static std::optional<DistributedHandle> try_current();

  /// Builders of calls; their spawn() spawns on the handle's runtime, from any thread.
  template <auto F>
  [[nodiscard]] Remote<F> remote() const {
    return Remote<F>(backend_, runtime_.core());
  }
  template <class S>
  [[nodiscard]] RemoteByName<S> remote(std::string_view name) const {
    return RemoteByName<S>(name, backend_, runtime_.core());
  }
  template <auto F, class... A>
  [[nodiscard]] auto spawn_fn(A&&... arguments) const {
    return remote<F>().spawn(std::forward<A>(arguments)...);
  }

  /// Handle::block_on, for a Task, a call or a callable that returns a Task, given away; and for a JoinHandle by name.
  template <typename W>
  auto block_on(W&& work) const {
    if constexpr (std::is_lvalue_reference_v<W> && detail::Pollable<std::remove_reference_t<W>>) {
      return runtime_.block_on(work);
    } else {
      return runtime_.block_on(detail::to_task(std::forward<W>(work)));
    }
  }

  /// The local part: spawn(), spawn_blocking(), enter() and so on.
  [[nodiscard]] const Handle& runtime() const noexcept { return runtime_; }
  /// The node's name; "local" without one, empty while it is not known.
  [[nodiscard]] std::string node_name() const { return backend_->node_name(); }
  [[nodiscard]] DistributedMetrics metrics() const { return backend_->metrics(); }

  /// Internal.
  DistributedHandle(Handle runtime, const std::shared_ptr<detail::Backend>& backend)
      : runtime_(std::move(runtime)), backend_(backend->unowning(backend)) {}
  [[nodiscard]] const std::shared_ptr<detail::Backend>& backend() const noexcept { return backend_; }

 private:
  Handle runtime_;
  std::shared_ptr<detail::Backend> backend_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
