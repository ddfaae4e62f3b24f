// Methods of an object, parameters that may be left out, and calls by name. Here one program is worker and caller; the
// part between the two lines would be the header that both share.
#include <kaido/kaido.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

// --- shared ---
namespace shop {

std::string label(std::string_view item, std::int64_t count = 1);
KAIDO_DECLARE(label, "item", "count");

class Stock {
 public:
  std::int64_t put(std::int64_t count = 1);
  [[nodiscard]] std::int64_t count() const noexcept;
  kaido::Task<kaido::Result<std::int64_t>> take(std::int64_t count);

 private:
  std::atomic<std::int64_t> count_{0};  // Calls come from several threads.
};
KAIDO_METHOD(Stock, put, "count");
KAIDO_SERVICE(Stock, put, count, take);

}  // namespace shop
// --- shared ---

namespace shop {

std::string label(std::string_view item, std::int64_t count) {
  return std::to_string(count) + " x " + std::string(item);
}
KAIDO_FUNCTION(label);

std::int64_t Stock::put(std::int64_t count) { return count_ += count; }
std::int64_t Stock::count() const noexcept { return count_; }
kaido::Task<kaido::Result<std::int64_t>> Stock::take(std::int64_t count) {
  std::int64_t there = count_;
  while (there >= count) {
    if (count_.compare_exchange_weak(there, there - count)) co_return there - count;
  }
  co_return kaido::Error(kaido::ErrorKind::kInvalidArgument, "only " + std::to_string(there) + " left");
}

}  // namespace shop

kaido::Task<int> buy() {
  const auto put = kaido::remote<&shop::Stock::put>();
  std::int64_t left = (co_await put.call(2)).value();
  left = (co_await put.call()).value();  // One more: the worker's default argument.

  const auto take = kaido::remote<&shop::Stock::take>();
  left = (co_await take.call(2)).value();
  const kaido::Result<std::int64_t> too_many = co_await take.call(5);

  // Without any declaration.
  const auto label = kaido::remote<std::string(std::string, std::optional<std::int64_t>)>("shop::label");
  const std::string tea = (co_await label.call("tea", 2)).value();
  std::printf("%s, %lld left; then: %s\n", tea.c_str(), static_cast<long long>(left),
              too_many.error().message().c_str());
  co_return 0;
}

int main() {
  const kaido::Service stock = kaido::serve(std::make_shared<shop::Stock>());  // Before the first connection.
  auto runtime = kaido::Runtime::create().value();
  return runtime.block_on(buy());
}
