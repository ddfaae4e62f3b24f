// with: clang++-19 -DKAIDO_CHECK_LIFETIMES -Werror=dangling
// refuses: temporary whose address is used as value of local variable 'task'
// refuses: temporary whose address is used as value of local variable 'handle'
#include <kaido/spawn.h>

kaido::Task<void> wait(int number) {
  auto task = [number]() -> kaido::Task<int> { co_return number; }();
  auto handle = kaido::spawn([number]() -> kaido::Task<int> { co_return number; }());
  co_await std::move(task);
  static_cast<void>(co_await handle);
}
