/// Functions that call functions, which the worker program offers too.
#pragma once

#include <cstdint>
#include <string>

#include <kaido/context.h>
#include <kaido/task.h>

namespace kaido::test {

/// Calls itself until `depth` is 0, one call within the other, and gives the names of the nodes that it passed,
/// innermost first.
kaido::Task<std::string> dive(kaido::Context& context, std::int64_t depth);
/// The same, but each call within is made by a task: one that is spawned, or two of a JoinSet, of which one has nothing
/// to do.
kaido::Task<std::string> dive_by_spawn(kaido::Context& context, std::int64_t depth);
kaido::Task<std::string> dive_by_set(kaido::Context& context, std::int64_t depth);
/// The Fibonacci number, each call made of two others that run beside each other.
kaido::Task<std::int64_t> fib(kaido::Context& context, std::int64_t n);

}  // namespace kaido::test
