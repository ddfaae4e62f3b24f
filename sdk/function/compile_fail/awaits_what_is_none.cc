// refuses: this cannot be awaited in a Task
// refuses: kaido/awaitable.h
#include <kaido/task.h>

kaido::Task<void> wait() { co_await 5; }
