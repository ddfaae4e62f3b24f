// refuses: name it on the line above and pass the name
#include <kaido/runtime.h>

#include <memory>

struct Work {
  std::shared_ptr<int> value;
  kaido::Task<int> operator()() { co_return *value; }
};

auto start(const kaido::Runtime& runtime) { return runtime.spawn(Work{}); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
