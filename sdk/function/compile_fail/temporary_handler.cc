// refuses: name it on the line above and pass the name
#include <kaido/select.h>

#include <memory>

struct Handler {
  std::shared_ptr<int> value;
  int operator()() { return *value; }
};
kaido::Task<void> work();

auto choose() { return kaido::select(kaido::on(work(), Handler{})); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
