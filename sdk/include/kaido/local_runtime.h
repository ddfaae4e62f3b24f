/// LocalRuntime: the same programs in one process, without a daemon.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <kaido/distributed_handle.h>
#include <kaido/handle.h>
#include <kaido/remote.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {
class LocalBackend;
}

/// Runs calls as tasks of a runtime of this process. Arguments and results pass through the same encoding as on the
/// wire, cancellation, deadlines, exceptions and errors are the same. There is one place to run, so rules about where
/// are met by definition, and nothing is ever lost or retried.
///
/// Threading: thread-safe.
/// Lifetime: does not keep the runtime alive; calls after its end are cancelled.
class LocalRuntime {
 public:
  /// On the current runtime; throws std::logic_error outside one.
  LocalRuntime();
  explicit LocalRuntime(Handle handle);

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

  /// "local".
  [[nodiscard]] std::string node_name() const;
  [[nodiscard]] DistributedMetrics metrics() const;
  /// For who may outlive it, or is outside of the runtime.
  [[nodiscard]] DistributedHandle handle() const;
  /// Internal.
  [[nodiscard]] std::shared_ptr<detail::Backend> backend() const;

 private:
  std::shared_ptr<detail::LocalBackend> backend_;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
