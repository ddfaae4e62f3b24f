/// DistributedRuntime: what LocalRuntime and NodeRuntime have in common, for code that takes either.
///
///     template <kaido::DistributedRuntime Runtime>
///     kaido::Task<std::int64_t> total(Runtime cluster, std::vector<std::string> texts);
#pragma once

#include <concepts>
#include <memory>
#include <string>

#include <kaido/local_runtime.h>
#include <kaido/node_runtime.h>
#include <kaido/remote.h>

namespace kaido {

namespace detail {
int example_function(int);  // only declared: for the concept to name
}

/// A copyable reference to something that runs registered functions somewhere.
template <class D>
concept DistributedRuntime = std::copyable<D> && requires(const D& runtime) {
  { runtime.template remote<&detail::example_function>() } -> std::same_as<Remote<&detail::example_function>>;
  { runtime.template remote<int(int)>("name") } -> std::same_as<RemoteByName<int(int)>>;
  { runtime.template spawn_fn<&detail::example_function>(1) } -> std::same_as<JoinHandle<int>>;
  { runtime.node_name() } -> std::same_as<std::string>;
  { runtime.backend() } -> std::convertible_to<std::shared_ptr<detail::Backend>>;
};

static_assert(DistributedRuntime<LocalRuntime>);
static_assert(DistributedRuntime<NodeRuntime>);

}  // namespace kaido
