/// shutdown_signal: waits until the program is asked to end.
#pragma once

#include <kaido/task.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// Completes with the signal's number when SIGINT or SIGTERM comes. While it is awaited those signals do nothing else;
/// before and after they do what they did before, so that a second Ctrl-C ends a program that takes too long.
///
///     co_await kaido::serve_until(kaido::shutdown_signal());
///
/// A helper, for programs that leave these signals to Kaido. On a program's own handlers: await what they set.
///
/// Cancellation: safe.
/// Errors: std::system_error if the handler cannot be installed; std::logic_error outside a runtime.
[[nodiscard]] Task<int> shutdown_signal();

}  // namespace kaido::inline abi0
#pragma GCC visibility pop
