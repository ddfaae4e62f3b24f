// refuses: name it on the line above and pass the name
#include <kaido/sync/mpsc.h>

#include <chrono>
#include <string>

struct Options {
  int retries = 3;
  std::string name;
};
kaido::mpsc::Sender<Options> sender;

auto send() { return sender.send_timeout(Options{0, "hi"}, std::chrono::seconds(1)); }
#if defined(__clang__) || __GNUC__ >= 13
#error "This compiler is right about: name it on the line above and pass the name"
#endif
