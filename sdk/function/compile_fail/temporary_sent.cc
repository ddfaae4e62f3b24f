// refuses: name it on the line above and pass the name
#include <kaido/sync/mpsc.h>

#include <string>

struct Options {
  int retries = 3;
  std::string name;
};
kaido::mpsc::Sender<Options> sender;

auto send() { return sender.send(Options{0, "hi"}); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
