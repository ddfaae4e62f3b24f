// compiles
#include <memory>
#include <string>
#include <utility>

#include <kaido/function.h>
#include <kaido/remote.h>
#include <kaido/sync/mpsc.h>
#include <kaido/task_local.h>

struct Options {
  int retries = 3;
  std::string name;
};
struct Owner {
  std::unique_ptr<int> only;
};
struct Point {
  int x;
  double y;
};
std::string describe(Options options);
inline constexpr kaido::LocalKey<Options> kOptions;

kaido::Task<void> name_them(kaido::mpsc::Sender<Options> sender, kaido::mpsc::Sender<Owner> owners,
                            kaido::mpsc::Sender<Point> points, kaido::mpsc::Sender<std::string> texts) {
  Options options{0, "hi"};
  Owner owner;
  static_cast<void>(co_await kaido::remote<describe>().call(options));
  static_cast<void>(co_await sender.send(options));
  static_cast<void>(co_await sender.send(kaido::moved(options)));
  static_cast<void>(co_await owners.send(kaido::moved(owner)));
  static_cast<void>(co_await points.send(Point{1, 2}));
  static_cast<void>(co_await texts.send("text"));
  co_await kOptions.scope(kaido::moved(options), []() -> kaido::Task<void> { co_return; });
}
