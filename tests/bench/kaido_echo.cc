#include "tests/bench/kaido_echo.h"

#include <kaido/kaido.h>

#include <future>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace kaido::bench {

/// What every call runs. Its name travels, so it is not in the anonymous namespace.
std::string echo(std::string_view text) { return std::string(text); }
KAIDO_FUNCTION(echo);

namespace {

constexpr std::uint32_t kSlots = 256;
/// A function of a node that has just started has to be heard of first.
constexpr std::chrono::seconds kPatience{20};

Runtime single_thread() { return RuntimeBuilder::new_current_thread().enable_all().build().value(); }

Task<void> wait_for_ever() {
  while (true) co_await sleep(std::chrono::hours(1));
}

/// One measurement: shared by its callers, which all run on the runtime's one thread.
struct Loop {
  Remote<&echo> call;
  LoopResult result;
  bool measure_latency = false;
  bool has_ended = false;
};

Task<void> end_after(Loop& loop, bench::Clock::duration duration) {
  co_await sleep(duration);
  loop.has_ended = true;
}

Task<void> keep_calling(Loop& loop, std::size_t slot) {
  std::string text(kTextBytes, 'x');
  text[0] = static_cast<char>('0' + slot % 64);
  do {
    const auto sent = loop.measure_latency ? bench::Clock::now() : bench::Clock::time_point();
    const Result<std::string> result = co_await loop.call.call(text);
    if (!result) throw std::runtime_error("a call failed: " + result.error().message());
    if (*result != text) throw std::runtime_error("a result that does not match its call");
    ++loop.result.calls;
    if (loop.measure_latency) {
      loop.result.latencies_us.push_back(std::chrono::duration<double, std::micro>(bench::Clock::now() - sent).count());
    }
  } while (!loop.has_ended);
}

Task<LoopResult> run_loop(NodeRuntime node, std::size_t window, bench::Clock::duration duration) {
  Loop loop{.call = node.remote<&echo>(), .result = {}, .measure_latency = window == 1};
  const auto begin = bench::Clock::now();
  JoinSet<void> callers;
  callers.spawn(end_after(loop, duration));
  for (std::size_t slot = 0; slot < window; ++slot) callers.spawn(keep_calling(loop, slot));
  while (auto ended = co_await callers.join_next()) {
    if (!*ended) throw std::runtime_error(ended->error().message());
  }
  loop.result.seconds = std::chrono::duration<double>(bench::Clock::now() - begin).count();
  co_return std::move(loop.result);
}

/// The first call waits until the function is known here.
Task<NodeRuntime> connect(std::string socket) {
  NodeOptions options;
  options.socket(std::move(socket)).call_only();
  Result<NodeRuntime> node = co_await NodeRuntime::connect(std::move(options));
  if (!node) throw std::runtime_error("no node: " + node.error().message());
  const Result<std::string> first = co_await node->remote<&echo>().with_wait(kPatience).call("first");
  if (!first) throw std::runtime_error("the first call failed: " + first.error().message());
  co_return *std::move(node);
}

/// The runtime has a thread of its own, so that it lives on, and answers its node, between measurements.
class KaidoCaller final : public Caller {
 public:
  explicit KaidoCaller(const std::string& socket)
      : runtime_(single_thread()),
        alive_(runtime_.spawn(wait_for_ever())),
        stop_(alive_.abort_handle()),
        thread_([this] { static_cast<void>(runtime_.block_on(alive_)); }),
        node_(on_runtime(connect(socket))) {}

  ~KaidoCaller() override {
    node_.reset();
    stop_.abort();
    thread_.join();
  }

  LoopResult run(std::size_t window, bench::Clock::duration duration) override {
    return on_runtime(run_loop(*node_, window, duration));
  }

 private:
  template <class T>
  static Task<void> fulfil(std::promise<T>& promise, Task<T> task) {
    try {
      promise.set_value(co_await std::move(task));
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
  }

  template <class T>
  T on_runtime(Task<T> task) {
    std::promise<T> promise;
    auto future = promise.get_future();
    static_cast<void>(runtime_.spawn(fulfil(promise, std::move(task))));
    return future.get();
  }

  Runtime runtime_;
  JoinHandle<void> alive_;
  AbortHandle stop_;
  std::thread thread_;
  std::optional<NodeRuntime> node_;
};

Task<void> serve(std::string socket) {
  NodeOptions options;
  options.socket(std::move(socket)).slots(kSlots);
  const Result<NodeRuntime> node = co_await NodeRuntime::connect(std::move(options));
  if (!node) throw std::runtime_error("no node: " + node.error().message());
  announce_ready();
  co_await wait_for_ever();
}

}  // namespace

int run_kaido_worker(const std::string& socket) {
  single_thread().block_on(serve(socket));
  return 0;
}

std::unique_ptr<Caller> connect_kaido(const std::string& socket) { return std::make_unique<KaidoCaller>(socket); }

}  // namespace kaido::bench
