// compiles
// with: clang++-19 -DKAIDO_CHECK_LIFETIMES -Wall -Wextra -Werror
#include <kaido/kaido.h>

#include <string>

kaido::Task<std::size_t> length(const std::string& text) { co_return text.size(); }
KAIDO_CORO_WRAPPER kaido::Task<std::size_t> wrapped(const std::string& text) { return length(text); }

kaido::Task<void> wait(int number) {
  co_await length("there until the end of the line, when all is done");
  co_await wrapped("the same");
  const std::string text = "named";
  auto task = length(text);
  co_await std::move(task);
  auto named = [number]() -> kaido::Task<int> { co_return number; };
  auto handle = kaido::spawn(std::move(named));
  static_cast<void>(co_await handle);
  kaido::JoinSet<int> set;
  set.spawn([number]() -> kaido::Task<int> { co_return number; });
  co_await set.join_all();
}
