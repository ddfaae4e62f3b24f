// refuses: name it on the line above and pass the name
#include <kaido/remote.h>

#include <string>

struct Options {
  int retries = 3;
  std::string name;
};
std::string describe(Options options);

auto call() { return kaido::remote<describe>().call(Options{0, "hi"}); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
