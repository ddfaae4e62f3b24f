// compiles
#include <optional>
#include <string>

#include <kaido/remote.h>
#include <kaido/service.h>

namespace shop {
struct Price {
  std::string item;
  double amount = 0;
};
Price price(std::string item, int count = 1, std::optional<double> discount = {});
KAIDO_DECLARE(price, "item", "count", "discount");

struct Till {
  virtual ~Till() = default;
  virtual double add(const Price& price, int times = 1) = 0;
  double total() const noexcept;
};
KAIDO_METHOD(Till, add, "price", "times");
KAIDO_SERVICE(Till, add, total);
}  // namespace shop

auto one() { return kaido::remote<shop::price>().in_zone("eu-1").call("tea"); }
auto two(const shop::Price& tea) { return kaido::remote<&shop::Till::add>().call(tea); }
auto three() { return kaido::remote<&shop::Till::total>().idempotent().spawn(); }
auto four() { return kaido::remote<double(std::string, std::optional<int>)>("shop::price").call("tea", 2); }
auto five() { return kaido::spawn_fn<shop::price>("tea", 2, 0.5); }
