// The smallest program: one function, one call. With a node and workers it runs somewhere in the cluster; without,
// here.
#include <kaido/kaido.h>

#include <cstdio>
#include <string>

std::string greet(std::string name) { return "Hello, " + name + "!"; }
KAIDO_FUNCTION(greet);

kaido::Task<int> hello() {
  const kaido::Result<std::string> greeting = co_await kaido::spawn_fn<greet>("Kaido");
  if (!greeting) {
    std::fprintf(stderr, "%s\n", greeting.error().to_string().c_str());
    co_return 1;
  }
  std::puts(greeting->c_str());
  co_return 0;
}

int main() {
  auto runtime = kaido::Runtime::create().value();
  return runtime.block_on(hello());
}
