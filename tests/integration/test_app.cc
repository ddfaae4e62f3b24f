/// test_app: the app whose processes the tests start, kill and stop.
///
///     test_app worker SOCKET [SLOTS]     offers the functions of functions.h
///     test_app hold SOCKET JOURNAL       calls hold(JOURNAL) and waits for it, for ever
///
/// Both print "ready" when the node has accepted them, and end when they are killed.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <kaido/kaido.h>

#include "tests/integration/functions.h"

namespace {

using Arguments = std::vector<std::string>;

void say(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

kaido::Task<int> run(Arguments arguments) {
  const bool is_worker = arguments[1] == "worker";
  kaido::NodeOptions options;
  options.socket(arguments[2]).app_name(arguments[1]);
  if (is_worker && arguments.size() > 3) {
    const auto slots = static_cast<std::uint32_t>(std::stoul(arguments[3]));
    options.slots(slots).task_slots(slots);
  }
  if (!is_worker) options.call_only();
  kaido::Service tally;
  if (is_worker) tally = kaido::serve(std::make_shared<kaido::test::Tally>());
  auto node = co_await kaido::NodeRuntime::connect(std::move(options));
  if (!node) {
    say(node.error().to_string());
    co_return 1;
  }
  say("ready");
  if (!is_worker) {
    auto held = co_await node->remote<&kaido::test::hold>().call(arguments[3]);
    say(held ? "returned" : held.error().to_string());
    co_return 1;
  }
  for (;;) co_await kaido::sleep(std::chrono::hours(1));
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments(argv, argv + argc);
  if (arguments.size() < 3) return 2;
  auto runtime = kaido::RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all().build().value();
  return runtime.block_on(run(std::move(arguments)));
}
