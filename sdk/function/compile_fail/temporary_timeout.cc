// refuses: name it on the line above and pass the name
#include <kaido/time.h>

#include <chrono>
#include <memory>

struct Operation {
  std::shared_ptr<int> value;
  bool poll(kaido::PollContext&) { return true; }
  int take() { return *value; }
};

auto limit() { return kaido::timeout(std::chrono::seconds(1), Operation{}); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
