#include "tests/integration/nested.h"

#include <utility>

#include <kaido/function.h>
#include <kaido/join_set.h>
#include <kaido/remote.h>
#include <kaido/spawn.h>

namespace kaido::test {

kaido::Task<std::string> dive(kaido::Context& context, std::int64_t depth) {
  if (depth == 0) co_return std::string(context.node());
  auto deeper = co_await kaido::remote<&dive>().within(context).call(depth - 1);
  co_return std::move(deeper).value() + std::string(context.node());
}

kaido::Task<std::string> dive_by_spawn(kaido::Context& context, std::int64_t depth) {
  if (depth == 0) co_return std::string(context.node());
  auto deeper = kaido::spawn([](std::int64_t left) -> kaido::Task<std::string> {
    co_return (co_await kaido::remote<&dive_by_spawn>().call(left)).value();
  }(depth - 1));
  co_return (co_await deeper).value() + std::string(context.node());
}

kaido::Task<std::string> dive_by_set(kaido::Context& context, std::int64_t depth) {
  if (depth == 0) co_return std::string(context.node());
  auto dive_on = [](std::int64_t left) -> kaido::Task<std::string> {
    co_return (co_await kaido::remote<&dive_by_set>().call(left)).value();
  };
  auto nothing = []() -> kaido::Task<std::string> { co_return std::string(); };
  kaido::JoinSet<std::string> tasks;
  tasks.spawn(dive_on(depth - 1));
  tasks.spawn(nothing());
  std::string nodes;
  while (auto part = co_await tasks.join_next()) nodes += part->value();
  co_return nodes + std::string(context.node());
}

kaido::Task<std::int64_t> fib(kaido::Context& context, std::int64_t n) {
  if (n < 2) co_return n;
  auto left = kaido::remote<&fib>().within(context).spawn(n - 1);
  auto right = kaido::remote<&fib>().within(context).spawn(n - 2);
  const std::int64_t sum = (co_await left).value();
  co_return sum + (co_await right).value();
}

KAIDO_FUNCTION(dive);
KAIDO_FUNCTION(dive_by_spawn);
KAIDO_FUNCTION(dive_by_set);
KAIDO_FUNCTION(fib);

}  // namespace kaido::test
