// refuses: name it on the line above and pass the name
#include <kaido/awaitable.h>

#include <coroutine>
#include <memory>

struct Awaiter {
  std::shared_ptr<int> value;
  bool await_ready() { return true; }
  void await_suspend(std::coroutine_handle<>) {}
  int await_resume() { return *value; }
};

auto adapt() { return kaido::from_awaiter(Awaiter{}); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
