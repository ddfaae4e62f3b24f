// refuses: a Task is awaited once: write `co_await std::move(task)`
#include <kaido/task.h>

kaido::Task<void> once();
kaido::Task<void> twice() {
  auto task = once();
  co_await task;
  co_await task;
}
