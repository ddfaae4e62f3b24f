#include "tests/integration/nested.h"

#include <utility>

#include <kaido/function.h>
#include <kaido/remote.h>

namespace kaido::test {

kaido::Task<std::string> dive(kaido::Context& context, std::int64_t depth) {
  if (depth == 0) co_return std::string(context.node());
  auto deeper = co_await kaido::remote<&dive>().within(context).call(depth - 1);
  co_return std::move(deeper).value() + std::string(context.node());
}

kaido::Task<std::int64_t> fib(kaido::Context& context, std::int64_t n) {
  if (n < 2) co_return n;
  auto left = kaido::remote<&fib>().within(context).spawn(n - 1);
  auto right = kaido::remote<&fib>().within(context).spawn(n - 2);
  const std::int64_t sum = (co_await left).value();
  co_return sum + (co_await right).value();
}

KAIDO_FUNCTION(dive);
KAIDO_FUNCTION(fib);

}  // namespace kaido::test
