// Code for any runtime that distributes: the node's, or this process alone, which needs no daemon and suits tests.
#include <kaido/kaido.h>

#include <cstdio>
#include <string>

std::string greet(std::string name) { return "Hello, " + name + "!"; }
KAIDO_FUNCTION(greet);

template <kaido::DistributedRuntime Cluster>
kaido::Task<int> work(Cluster cluster) {
  auto handle = cluster.template spawn_fn<&greet>("you");
  const kaido::Result<std::string> greeting = co_await handle;
  if (!greeting) co_return 1;
  std::puts(greeting->c_str());
  co_return 0;
}

int main() {
  auto runtime = kaido::Runtime::create().value();
  return runtime.block_on(work(kaido::LocalRuntime(runtime.handle())));
}
