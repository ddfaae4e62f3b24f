// Calls from a thread that is in no runtime, by a handle that owns neither runtime nor connection.
#include <kaido/kaido.h>

#include <cstdio>
#include <string>
#include <thread>

std::string greet(std::string name) { return "Hello, " + name + "!"; }
KAIDO_FUNCTION(greet);

int main() {
  auto runtime = kaido::Runtime::create().value();
  const kaido::LocalRuntime here(runtime.handle());  // a NodeRuntime does as well
  const kaido::LocalRuntime* const node = &here;
  const kaido::DistributedHandle cluster = node->handle();  // or DistributedHandle::current(), inside a runtime
  std::thread plain([cluster] {
    kaido::Result<std::string> greeting = cluster.block_on(cluster.remote<greet>().call("you"));
    auto handle = cluster.spawn_fn<greet>("you, too");  // a task of the handle's runtime
    std::puts(greeting.value().c_str());
  });
  plain.join();
  return 0;
}
