#include "tests/bench/counted/sdk_calls.h"

#include <kaido/kaido.h>
#include <kaido/sync/notify.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/bench/caller.h"
#include "tests/bench/counted/node_calls.h"
#include "tests/bench/counted/scripted_node.h"
#include "tests/bench/process.h"

// The names that instructions.py looks for, as in node_calls.cc.
#define KAIDO_PHASE(name)                                                                    \
  extern "C" [[gnu::noinline]] void name(kaido::Runtime& runtime, kaido::Task<void>& task) { \
    asm volatile("# " #name);                                                                \
    runtime.block_on(std::move(task));                                                       \
  }
KAIDO_PHASE(measured_client)
KAIDO_PHASE(measured_worker)

namespace kaido::bench {
namespace {

/// How often the function has run in this process, and whom to tell when it has run often enough.
struct Runs {
  std::uint64_t count = 0;
  std::uint64_t awaited = 0;
  Notify reached;
};

Runs& runs() {
  static Runs runs;
  return runs;
}

}  // namespace

/// What every call runs. Its name travels, so it is not in the anonymous namespace.
std::string counted(std::string_view text) {
  if (++runs().count == runs().awaited) runs().reached.notify_one();
  return std::string(text);
}
KAIDO_FUNCTION(counted);

namespace {

Runtime single_thread() {
  return RuntimeBuilder::new_current_thread().enable_all().rng_seed(RngSeed(1)).build().value();
}

Task<void> connect(NodeOptions options, std::optional<NodeRuntime>& connected) {
  Result<NodeRuntime> node = co_await NodeRuntime::connect(std::move(options));
  if (!node) throw std::runtime_error("no scripted node: " + node.error().message());
  connected = *std::move(node);
}

Task<void> keep_calling(Remote<&counted> call, std::uint32_t calls) {
  const std::string text(kTextBytes, 'x');
  for (std::uint32_t i = 0; i < calls; ++i) {
    const Result<std::string> result = co_await call.call(text);
    if (!result) throw std::runtime_error("a call failed: " + result.error().message());
    if (*result != text) throw std::runtime_error("a result that does not match its call");
  }
}

/// As many callers as the window holds: they go in step, since the node answers when all have called.
Task<void> call_in_step(const NodeRuntime& node, std::uint32_t turns) {
  JoinSet<void> callers;
  for (std::uint32_t i = 0; i < kCountedWindow; ++i) callers.spawn(keep_calling(node.remote<&counted>(), turns));
  while (auto ended = co_await callers.join_next()) {
    if (!*ended) throw std::runtime_error(ended->error().message());
  }
}

Task<void> wait_for_runs() { co_await runs().reached.notified(); }

}  // namespace

void count_client_calls(std::uint32_t warm_up_turns, std::uint32_t turns) {
  const TemporaryFolder folder;
  ScriptedNode scripted(folder.file("node"), ScriptedNode::Role::kAnswersCalls, kCountedWindow, 0);
  Runtime runtime = single_thread();
  std::optional<NodeRuntime> node;
  NodeOptions options;
  options.socket(folder.file("node")).call_only();
  runtime.block_on(connect(std::move(options), node));
  runtime.block_on(call_in_step(*node, warm_up_turns));
  Task<void> calls = call_in_step(*node, turns);
  measured_client(runtime, calls);
}

void count_worker_calls(std::uint32_t warm_up_turns, std::uint32_t turns) {
  const TemporaryFolder folder;
  ScriptedNode scripted(folder.file("node"), ScriptedNode::Role::kMakesCalls, kCountedWindow, warm_up_turns + turns);
  Runtime runtime = single_thread();
  std::optional<NodeRuntime> node;
  NodeOptions options;
  options.socket(folder.file("node"));
  runs().awaited = std::uint64_t{warm_up_turns} * kCountedWindow;
  runtime.block_on(connect(std::move(options), node));
  runtime.block_on(wait_for_runs());
  runs().awaited += std::uint64_t{turns} * kCountedWindow;
  Task<void> served = wait_for_runs();
  measured_worker(runtime, served);
}

}  // namespace kaido::bench
