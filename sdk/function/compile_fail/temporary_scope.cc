// refuses: name it on the line above and pass the name
#include <kaido/task_local.h>

#include <string>

struct Options {
  int retries = 3;
  std::string name;
};
kaido::LocalKey<Options> key;
kaido::Task<void> work();

auto with_options() { return key.scope(Options{0, "hi"}, work()); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
