// refuses: name it on the line above and pass the name
#include <kaido/spawn.h>

#include <memory>

struct Closure {
  std::shared_ptr<int> value;
  int operator()() { return *value; }
};

auto start() { return kaido::spawn_blocking(Closure{}); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
