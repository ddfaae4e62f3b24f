/// DistributedRuntime: what LocalRuntime and NodeRuntime have in common, for code that takes either. DistributedCaller:
/// what they have in common with their handles.
///
///     template <kaido::DistributedCaller Cluster>
///     kaido::Task<std::int64_t> total(Cluster cluster, std::vector<std::string> texts);
#pragma once

#include <concepts>
#include <memory>
#include <string>

#include <kaido/distributed_handle.h>
#include <kaido/local_runtime.h>
#include <kaido/node_runtime.h>
#include <kaido/remote.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

namespace detail {
int example_function(int);  // only declared: for the concepts to name
}

/// A copyable reference to something that runs registered functions somewhere.
template <class D>
concept DistributedCaller = std::copyable<D> && requires(const D& caller) {
  { caller.template remote<&detail::example_function>() } -> std::same_as<Remote<&detail::example_function>>;
  { caller.template remote<int(int)>("name") } -> std::same_as<RemoteByName<int(int)>>;
  { caller.template spawn_fn<&detail::example_function>(1) } -> std::same_as<JoinHandle<int>>;
  { caller.node_name() } -> std::same_as<std::string>;
  { caller.metrics() } -> std::same_as<DistributedMetrics>;
};

/// One that owns it: with its last copy it ends. Its handles do not.
template <class D>
concept DistributedRuntime = DistributedCaller<D> && requires(const D& runtime) {
  { runtime.handle() } -> std::same_as<DistributedHandle>;
};

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
