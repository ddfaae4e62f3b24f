// with: clang++-19 -DKAIDO_CHECK_LIFETIMES -Werror=dangling
// refuses: temporary whose address is used as value of local variable 'task'
// refuses: temporary whose address is used as value of local variable 'handle'
#include <kaido/spawn.h>

#include <string>

kaido::Task<std::size_t> length(const std::string& text) { co_return text.size(); }

kaido::Task<void> wait() {
  auto task = length("gone at the end of the line");
  auto handle = kaido::spawn(length("gone, too"));
  co_await std::move(task);
  static_cast<void>(co_await handle);
}
