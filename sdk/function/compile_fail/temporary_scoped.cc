// refuses: name it on the line above and pass the name
#include <kaido/task_local.h>

#include <memory>

struct Work {
  std::shared_ptr<int> value;
  kaido::Task<int> operator()() { co_return *value; }
};
kaido::LocalKey<int> key;

auto with_value() { return key.scope(1, Work{}); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
