/// version_app_1, _2 and _3: one program in three versions, as it was built before, after and wrong after a change.
///
///     version_app_N SOCKET     offers `versioned`; prints "ready" when the node has accepted it
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include <kaido/kaido.h>

namespace {

#if KAIDO_TEST_VERSION == 1
std::string versioned(std::string text) { return "1:" + text; }
#elif KAIDO_TEST_VERSION == 2
std::string versioned(std::string text, std::optional<std::int32_t> times) {
  return "2:" + text + (times ? "*" + std::to_string(*times) : "");
}
#else
std::string versioned(bool text) { return text ? "3:yes" : "3:no"; }
#endif

kaido::Task<int> run(std::string socket) {
  kaido::NodeOptions options;
  options.socket(std::move(socket)).app_name("version " + std::to_string(KAIDO_TEST_VERSION));
  auto node = co_await kaido::NodeRuntime::connect(std::move(options));
  std::puts(node ? "ready" : node.error().to_string().c_str());
  std::fflush(stdout);
  if (!node) co_return 1;
  for (;;) co_await kaido::sleep(std::chrono::hours(1));
}

}  // namespace

KAIDO_FUNCTION_AS("versioned", &versioned);

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto runtime = kaido::RuntimeBuilder::new_multi_thread().worker_threads(1).enable_all().build().value();
  return runtime.block_on(run(argv[1]));
}
