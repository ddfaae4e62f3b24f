#include "tests/integration/apps.h"

#include <stdexcept>
#include <string_view>

#include "tests/support/temp_folder.h"
#include "tests/support/wait_until.h"

namespace kaido::test {
namespace {

int count_lines(const std::string& journal, std::string_view beginning) {
  const std::string text = "\n" + read_file(journal);
  const std::string wanted = "\n" + std::string(beginning);
  int count = 0;
  for (std::size_t at = 0; (at = text.find(wanted, at)) != std::string::npos; ++at) ++count;
  return count;
}

Command test_app() { return Command(built_program("tests/integration/test_app")); }

}  // namespace

std::unique_ptr<App> App::worker(const TestNode& node, int slots) {
  Command command = test_app();
  command.argument("worker").argument(node.app_socket()).argument(std::to_string(slots));
  return std::unique_ptr<App>(new App(std::move(command)));
}

std::unique_ptr<App> App::version(const TestNode& node, int version) {
  Command command(built_program("tests/integration/version_app_" + std::to_string(version)));
  command.argument(node.app_socket());
  return std::unique_ptr<App>(new App(std::move(command)));
}

std::unique_ptr<App> App::holder(const TestNode& node, const std::string& journal) {
  Command command = test_app();
  command.argument("hold").argument(node.app_socket()).argument(journal);
  return std::unique_ptr<App>(new App(std::move(command)));
}

App::App(Command command) {
  const std::string output = folder_ / "output";
  process_.emplace(command.output(output));
  static_cast<void>(wait_until([&] { return !process_->is_running() || read_file(output) == "ready\n"; }));
  if (!process_->is_running() || read_file(output) != "ready\n")
    throw std::runtime_error("the app is not accepted: " + read_file(output));
}

Client::Client(const TestNode& node, std::chrono::milliseconds unavailable_after)
    : runtime_(RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all().build().value()) {
  NodeOptions options;
  options.socket(node.app_socket()).call_only().unavailable_after(unavailable_after);
  node_ = runtime_.block_on(NodeRuntime::connect(std::move(options))).value();
}

int count_started(const std::string& journal) { return count_lines(journal, "started "); }
int count_ended(const std::string& journal) { return count_lines(journal, "ended "); }

bool wait_started(const std::string& journal, int count) {
  return wait_until([&] { return count_started(journal) >= count; });
}

}  // namespace kaido::test
