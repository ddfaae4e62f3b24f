// A struct as an argument. With g++ before 13 it is named before the co_await: docs/sdk/compilers.md says why.
#include <kaido/kaido.h>

#include <cstdio>
#include <string>

struct Order {
  std::string item;
  int count = 1;
};

double price(const Order& order) { return order.count * (order.item == "lamp" ? 19.5 : 5.0); }
KAIDO_FUNCTION(price);

kaido::Task<int> buy() {
  Order order{"lamp", 3};
  const kaido::Result<double> sum = co_await kaido::spawn_fn<price>(order);
  if (!sum) co_return 1;
  std::printf("%.2f\n", *sum);
  co_return 0;
}

int main() {
  auto runtime = kaido::Runtime::create().value();
  return runtime.block_on(buy());
}
