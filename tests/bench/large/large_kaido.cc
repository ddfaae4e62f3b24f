#include "tests/bench/large/large_kaido.h"

#include <kaido/kaido.h>

#include <chrono>
#include <optional>
#include <stdexcept>

#include "tests/bench/caller.h"

namespace kaido::bench {

/// What every call runs. Its name travels, so it is not in the anonymous namespace.
std::uint64_t sum_bytes(std::span<const std::byte> data) { return sum_of(data); }
KAIDO_FUNCTION(sum_bytes);

namespace {

constexpr std::uint32_t kSlots = 256;
constexpr std::size_t kWorkerThreads = 2;
/// A function of a node that has just started has to be heard of first.
constexpr std::chrono::seconds kPatience{20};

/// One with threads of its own answers its node also while this program waits for its next order.
Runtime threaded(std::size_t threads) {
  return RuntimeBuilder::new_multi_thread().worker_threads(threads).enable_all().build().value();
}

Task<void> serve(std::string socket) {
  NodeOptions options;
  options.socket(std::move(socket)).slots(kSlots);
  const Result<NodeRuntime> node = co_await NodeRuntime::connect(std::move(options));
  if (!node) throw std::runtime_error("no node: " + node.error().message());
  announce_ready();
  while (true) co_await sleep(std::chrono::hours(1));
}

Task<std::uint64_t> sum(const NodeRuntime& node, std::span<const std::byte> argument) {
  const Result<std::uint64_t> result = co_await node.remote<&sum_bytes>().with_wait(kPatience).call(argument);
  if (!result) throw std::runtime_error("a call failed: " + result.error().message());
  co_return *result;
}

Task<void> connect(std::string socket, std::optional<NodeRuntime>& connected) {
  NodeOptions options;
  options.socket(std::move(socket)).call_only();
  Result<NodeRuntime> node = co_await NodeRuntime::connect(std::move(options));
  if (!node) throw std::runtime_error("no node: " + node.error().message());
  connected = *std::move(node);
}

class LargeKaidoCaller final : public LargeCaller {
 public:
  explicit LargeKaidoCaller(const std::string& socket) : runtime_(threaded(1)) {
    runtime_.block_on(connect(socket, node_));
  }

  std::uint64_t call(std::span<const std::byte> argument) override { return runtime_.block_on(sum(*node_, argument)); }

 private:
  Runtime runtime_;
  std::optional<NodeRuntime> node_;
};

}  // namespace

int run_large_kaido_worker(const std::string& socket) {
  threaded(kWorkerThreads).block_on(serve(socket));
  return 0;
}

std::unique_ptr<LargeCaller> connect_large_kaido(const std::string& socket) {
  return std::make_unique<LargeKaidoCaller>(socket);
}

}  // namespace kaido::bench
