/// set_panic_hook(): what is done about an exception that left a task whose JoinHandle was dropped.
#pragma once

#include <functional>

#include <kaido/error.h>
#include <kaido/task_hooks.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// What left a task, as its JoinHandle would have reported it, and which task. task::id() and task::name() speak of
/// that task meanwhile.
///
/// Called once for each such task, on whatever thread finds that nobody will take the error: the one that ran the task,
/// or the one that drops the handle. Possibly several at once. Must neither throw nor block.
using PanicHook = std::function<void(const TaskMeta&, const Error&)>;

/// Replaces the hook of this process, as Rust's std::panic::set_hook does; an empty one brings the default back, which
/// prints a line to standard error. It is called for exceptions and for failed remote calls, not for tasks that were
/// cancelled, and not for errors that a JoinHandle, a JoinSet or a block_on hands out.
///
/// Threading: thread-safe. A call of the hook that is under way goes on with the hook it began with.
void set_panic_hook(PanicHook hook);

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
