/// task::Builder: spawns a task with a name, for logs and hooks.
///
///     kaido::task::Builder().name("gossip").spawn(gossip_loop());
#pragma once

#include <string>
#include <utility>

#include <kaido/handle.h>
#include <kaido/join_handle.h>
#include <kaido/local_set.h>
#include <kaido/source_location.h>
#include <kaido/spawn.h>
#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::task {

/// What each verb does, and throws, is what the function of that name does: kaido::spawn and so on.
///
/// Threading: a value.
class Builder {
 public:
  Builder() = default;

  /// For task::name() inside the task; no name is needed.
  Builder& name(std::string name) & {
    name_ = std::move(name);
    return *this;
  }
  Builder&& name(std::string name) && {
    name_ = std::move(name);
    return std::move(*this);
  }

  template <typename W>
  auto spawn(W work, SourceLocation location = SourceLocation::current()) {
    return start(detail::current_core(), std::move(work), location);
  }
  template <typename W>
  auto spawn_on(W work, const Handle& handle, SourceLocation location = SourceLocation::current()) {
    return start(*handle.core(), std::move(work), location);
  }
  template <typename F>
  auto spawn_blocking(F&& closure, SourceLocation location = SourceLocation::current()) {
    return start_blocking(detail::current_core(), std::forward<F>(closure), location);
  }
  template <typename F>
  auto spawn_blocking_on(F&& closure, const Handle& handle, SourceLocation location = SourceLocation::current()) {
    return start_blocking(*handle.core(), std::forward<F>(closure), location);
  }
  template <typename W>
  auto spawn_local(W work, SourceLocation location = SourceLocation::current()) {
    return start(detail::current_local_scheduler(), std::move(work), location);
  }
  template <typename W>
  auto spawn_local_on(W work, const LocalSet& set, SourceLocation location = SourceLocation::current()) {
    return start(*detail::check_owner_thread(set.state()), std::move(work), location);
  }

 private:
  template <typename Owner, typename W>
  auto start(Owner& owner, W work, SourceLocation location) {
    auto task = detail::to_task(std::move(work));
    using T = typename decltype(task)::value_type;
    auto* cell = new detail::SpawnCell<T>(&owner, std::move(task));
    JoinHandle<T> handle(*cell);
    describe(*cell, location);
    detail::spawn_task(owner, *cell);
    return handle;
  }
  template <typename F>
  auto start_blocking(detail::RuntimeCore& core, F&& closure, SourceLocation location) {
    using Closure = std::decay_t<F>;
    using T = std::invoke_result_t<Closure&&>;
    auto* cell = new detail::BlockingCell<T, Closure>(&core, std::forward<F>(closure));
    JoinHandle<T> handle(*cell);
    describe(*cell, location);
    detail::spawn_blocking_task(core, *cell);
    return handle;
  }
  void describe(detail::TaskHeader& task, SourceLocation location) {
    task.set_spawned_at(location);
    if (!name_.empty()) task.set_name(name_);
  }

  std::string name_;
};

}  // namespace kaido::inline abi0::task
#pragma GCC visibility pop
