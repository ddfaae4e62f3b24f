// Where calls end although something does not go as it should: time that is up, a node that stands still, threads that
// are all busy, a connection that goes while functions run.
#include <kaido/kaido.h>
#include <kaido/sync/notify.h>
#include <kaido/sync/oneshot.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "sdk/client/client_test_support.h"
#include "sdk/client/fake_node.h"

// Asio's handler reads the descriptor that was written before the handler was installed: the kernel orders that, which
// ThreadSanitizer does not see.
extern "C" const char* __tsan_default_suppressions() { return "race:boost_asio_signal_handler\n"; }

namespace {

using namespace std::chrono_literals;

/// A bound for what would otherwise be a hang.
constexpr auto kPatience = 60s;

std::atomic<int> computing{0};

/// Looks at its Context all the time; whether it was cancelled.
bool compute(kaido::Context& context) {
  ++computing;
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (!context.is_cancelled() && std::chrono::steady_clock::now() < give_up) {
  }
  --computing;
  return context.is_cancelled();
}
KAIDO_FUNCTION_AS("compute", &compute);

kaido::Task<int> pause_for(std::chrono::milliseconds time) {
  co_await kaido::sleep(time);
  co_return 1;
}
KAIDO_FUNCTION_AS("pause_for", &pause_for);

double seconds_of(std::chrono::duration<double> time) { return time.count(); }
KAIDO_FUNCTION_AS("seconds_of", &seconds_of);

std::int64_t later(std::int64_t milliseconds) {
  throw kaido::ErrorException(
      kaido::Error(kaido::ErrorKind::kRejected, "later").with_retry_after(std::chrono::milliseconds(milliseconds)));
}
KAIDO_FUNCTION_AS("later", &later);

std::string deadline_of(kaido::Context& context) {
  return (context.deadline() ? "deadline" : "none") + std::string(context.trace().is_traced() ? ", traced" : "");
}
KAIDO_FUNCTION_AS("deadline_of", &deadline_of);

/// Hands its own limits on.
kaido::Task<std::string> hand_on(kaido::Context& context) {
  const auto inner = co_await kaido::remote<&deadline_of>().within(context).call();
  const auto idiom = co_await kaido::remote<&deadline_of>().with_timeout(context.remaining().value_or(0s)).call();
  co_return *inner + "; " + (idiom ? *idiom : std::string(name(idiom.error().kind())));
}
KAIDO_FUNCTION_AS("hand_on", &hand_on);

std::atomic<bool> has_begun{false};
std::atomic<bool> may_call{false};
std::atomic<bool> may_end{false};

kaido::Task<double> call_back() {
  has_begun = true;
  while (!may_call) co_await kaido::sleep(1ms);
  const double seconds = (co_await kaido::remote<&seconds_of>().call(2s)).value();
  while (!may_end) co_await kaido::sleep(1ms);
  co_return seconds;
}
KAIDO_FUNCTION_AS("call_back", &call_back);

kaido::Task<double> call_back_by_handles() {
  has_begun = true;
  while (!may_call) co_await kaido::sleep(1ms);
  auto first = kaido::spawn_fn<&seconds_of>(1s);
  auto second = kaido::spawn_fn<&seconds_of>(2s);
  double sum = (co_await first).value();
  sum += (co_await second).value();
  while (!may_end) co_await kaido::sleep(1ms);
  co_return sum;
}
KAIDO_FUNCTION_AS("call_back_by_handles", &call_back_by_handles);

kaido::Task<double> fetch(double seconds) {
  while (!may_call) co_await kaido::sleep(1ms);
  co_return (co_await kaido::remote<&seconds_of>().call(std::chrono::duration<double>(seconds))).value();
}
kaido::Task<double> fetch_by_another(double seconds) {
  auto fetched = co_await kaido::spawn(fetch(seconds));
  co_return fetched.value();
}

/// Waits for calls that it does not make itself: tasks do that it has spawned, and theirs.
kaido::Task<double> call_back_by_tasks() {
  has_begun = true;
  kaido::JoinSet<double> tasks;
  tasks.spawn(fetch(1));
  tasks.spawn(fetch_by_another(1));
  double sum = 0;
  while (auto seconds = co_await tasks.join_next()) sum += seconds->value();
  while (!may_end) co_await kaido::sleep(1ms);
  co_return sum;
}
KAIDO_FUNCTION_AS("call_back_by_tasks", &call_back_by_tasks);

std::atomic<double> left_behind{0};

/// Leaves a task that calls when its function has long ended.
kaido::Task<void> leave_a_task() {
  static_cast<void>(kaido::spawn([]() -> kaido::Task<void> { left_behind = co_await fetch(5); }));
  co_return;
}
KAIDO_FUNCTION_AS("leave_a_task", &leave_a_task);

/// Its thread gives its worker away, and another thread has it from then on.
int block_until_another_thread_goes_on() {
  std::atomic<bool> goes_on{false};
  auto on_the_worker = kaido::spawn([](std::atomic<bool>& flag) -> kaido::Task<void> {
    flag = true;
    flag.notify_all();
    co_return;
  }(goes_on));
  kaido::block_in_place([&goes_on] { goes_on.wait(false); });
  while (!on_the_worker.is_finished()) std::this_thread::yield();
  return 1;
}
KAIDO_FUNCTION_AS("block_until_another_thread_goes_on", &block_until_another_thread_goes_on);

kaido::Notify told;

kaido::Task<std::string> large_when_told() {
  co_await told.notified();
  co_return std::string(900'000, 'x');
}
KAIDO_FUNCTION_AS("large_when_told", &large_when_told);

kaido::NodeOptions options(const std::string& path) { return kaido::NodeOptions().socket(path); }

/// Waits on a thread of the pool for what a blocking function waits for.
template <class F>
kaido::Task<void> wait_for(F function) {
  auto waiting = kaido::spawn_blocking(std::move(function));
  static_cast<void>(co_await waiting);
}

class EdgesTest : public testing::TestWithParam<bool> {
 protected:
  kaido::Runtime runtime_ = kaido::testing::make_runtime(GetParam());
  const std::string path_ = kaido::testing::new_socket_path();
};

INSTANTIATE_TEST_SUITE_P(Flavors, EdgesTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "MultiThread" : "CurrentThread"; });

/// The same on anything that distributes.
template <kaido::DistributedRuntime D>
kaido::Task<void> meet_the_edges_of_time(D runtime) {
  const auto pause = runtime.template remote<&pause_for>();
  const auto is_late = [](const auto& result) { return !result && result.error().is_timed_out(); };
  auto zero = pause;
  EXPECT_TRUE(is_late(co_await zero.with_timeout(0ms).call(1ms)));
  EXPECT_TRUE(is_late(co_await zero.with_timeout(-5ms).call(1ms)));
  EXPECT_TRUE(is_late(co_await zero.with_timeout(std::chrono::nanoseconds::min()).call(1ms)));
  EXPECT_TRUE(is_late(co_await zero.with_timeout(std::chrono::hours::min()).call(1ms)));
  const std::chrono::duration<double> not_a_number(std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(is_late(co_await zero.with_timeout(not_a_number).call(1ms)));
  auto spawned = zero.with_timeout(-1s).spawn(1ms);
  EXPECT_TRUE(is_late(co_await spawned));

  EXPECT_TRUE(co_await zero.with_timeout(std::chrono::nanoseconds::max()).call(1ms));
  EXPECT_TRUE(co_await zero.with_timeout(std::chrono::hours::max()).call(1ms));
  EXPECT_TRUE(co_await zero.with_timeout(std::chrono::duration<double>(1e300)).call(1ms));
  EXPECT_TRUE(co_await zero.with_wait(std::chrono::hours::max()).call(1ms));
  EXPECT_TRUE(co_await zero.with_wait(-5ms).call(1ms));
  EXPECT_TRUE(co_await zero.with_retries(std::numeric_limits<std::uint32_t>::max()).call(1ms));

  const auto seconds = runtime.template remote<&seconds_of>();
  const kaido::Result<double> no_number = co_await seconds.call(not_a_number);
  EXPECT_EQ(no_number.value(), 0);
  const kaido::Result<double> most = co_await seconds.call(std::chrono::duration<double>(1e300));
  EXPECT_GT(most.value(), 9e9);
  const kaido::Result<double> least = co_await seconds.call(std::chrono::duration<double>(-1e300));
  EXPECT_LT(least.value(), -9e9);

  for (const std::int64_t delay : {std::int64_t{-5}, std::numeric_limits<std::int64_t>::min()}) {
    const kaido::Result<std::int64_t> past = co_await runtime.template remote<&later>().call(delay);
    EXPECT_LE(past.error().retry_after(), 0ms);
  }
  const kaido::Result<std::int64_t> far =
      co_await runtime.template remote<&later>().call(std::numeric_limits<std::int64_t>::max());
  EXPECT_GT(far.error().retry_after(), 24h);
}

TEST_P(EdgesTest, TimeHasEdges) {
  const kaido::testing::FakeNode fake(path_);
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node =
        (co_await kaido::NodeRuntime::connect(options(path_).unavailable_after(std::chrono::hours::max()))).value();
    co_await meet_the_edges_of_time(node);
    co_await node.shutdown(std::chrono::hours::min());
  });
}

TEST_P(EdgesTest, TimeHasTheSameEdgesInThisProcess) {
  runtime_.block_on([]() -> kaido::Task<void> {
    const kaido::LocalRuntime local;
    co_await meet_the_edges_of_time(local);
  });
}

TEST_P(EdgesTest, TimeoutsOfTheirOwnAreNoRulesOfTheirOwn) {
  kaido::testing::FakeNode fake(path_);
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(options(path_))).value();
    for (int i = 0; i < 200; ++i) {
      EXPECT_TRUE(co_await node.remote<&seconds_of>().with_timeout(1h + std::chrono::nanoseconds(i)).call(1s));
    }
  });
  EXPECT_EQ(fake.prepared(), 1U);
}

TEST_P(EdgesTest, WhatAFunctionCallsEndsWithinItsOwnLimits) {
  const kaido::testing::FakeNode fake(path_);
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(options(path_))).value();
    EXPECT_EQ((co_await node.remote<&hand_on>().with_timeout(1h).call()).value(), "deadline; deadline");
    EXPECT_EQ((co_await node.remote<&hand_on>().call()).value(), "none; timed out");
  });
}

TEST_P(EdgesTest, ACallEndsThoughTheNodeStandsStill) {
  kaido::testing::FakeNode fake(path_);
  fake.hold();
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(
                     options(path_).ping_interval(20ms).ping_limit(1s).unavailable_after(100ms)))
                    .value();
    auto under_way = node.spawn_fn<&seconds_of>(1s);
    auto again = node.remote<&seconds_of>().idempotent().spawn(1s);
    co_await wait_for([&] { fake.await_held(2); });
    fake.freeze();
    const auto lost = co_await under_way;
    EXPECT_TRUE(lost.error().is_unavailable());
    EXPECT_NE(lost.error().message().find("does not answer"), std::string::npos) << lost.error();
    EXPECT_TRUE((co_await again).error().is_unavailable());
    const auto later_call = co_await node.remote<&seconds_of>().call(1s);
    EXPECT_TRUE(later_call.error().is_unavailable());
    // It comes back, and so does this program.
    fake.thaw();
    fake.release();
    kaido::Result<double> back = kaido::Error(kaido::ErrorKind::kUnavailable);
    while (!back) {
      co_await kaido::sleep(5ms);
      back = co_await node.remote<&seconds_of>().call(1s);
    }
    EXPECT_EQ(*back, 1);
  });
}

TEST_P(EdgesTest, CancellationsAndPingsArriveThoughEveryThreadComputes) {
  kaido::testing::FakeNode fake(path_);
  const int threads = GetParam() ? 2 : 1;
  std::thread operator_thread([&] {
    while (computing.load() < threads) std::this_thread::yield();
    fake.ping();
    fake.cancel_running();
  });
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(options(path_))).value();
    kaido::JoinSet<bool> calls;
    for (int i = 0; i < threads; ++i) calls.spawn(node.remote<&compute>().call());
    while (auto ended = co_await calls.join_next()) EXPECT_TRUE(ended->value());
    // And all goes on as before.
    EXPECT_EQ((co_await node.remote<&seconds_of>().call(3s)).value(), 3);
  });
  operator_thread.join();
}

TEST_P(EdgesTest, AFunctionThatAwaitsARemoteCallGivesItsSlotBack) {
  enum class By { kItself, kHandles, kTasks };
  for (const By by : {By::kItself, By::kHandles, By::kTasks}) {
    has_begun = may_call = may_end = false;
    kaido::testing::FakeNode fake(path_);
    runtime_.block_on([&]() -> kaido::Task<void> {
      auto node = (co_await kaido::NodeRuntime::connect(options(path_))).value();
      auto outer = by == By::kItself    ? node.spawn_fn<&call_back>()
                   : by == By::kHandles ? node.spawn_fn<&call_back_by_handles>()
                                        : node.spawn_fn<&call_back_by_tasks>();
      while (!has_begun) co_await kaido::sleep(1ms);
      EXPECT_TRUE(co_await node.remote<&seconds_of>().call(1s));  // It waits meanwhile, but for no call.
      fake.hold();
      may_call = true;
      co_await wait_for([&] { fake.await_yields(1); });
      fake.release();
      co_await wait_for([&] { fake.await_resumes(1); });
      may_end = true;
      EXPECT_EQ((co_await outer).value(), by == By::kHandles ? 3 : 2);
    });
  }
}

TEST_P(EdgesTest, ATaskMayCallWhenTheFunctionThatSpawnedItHasEnded) {
  may_call = false;
  left_behind = 0;
  kaido::testing::FakeNode fake(path_);
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(options(path_))).value();
    EXPECT_TRUE(co_await node.remote<&leave_a_task>().call());
    may_call = true;
    while (left_behind == 0) co_await kaido::sleep(1ms);
    EXPECT_EQ(left_behind, 5);
    // Nothing of it is told to the node as if the function still ran.
    EXPECT_EQ((co_await node.remote<&seconds_of>().call(3s)).value(), 3);
  });
}

TEST_P(EdgesTest, ALargeResultReachesTheNodeThoughTheProgramShutsDown) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto node = (co_await kaido::NodeRuntime::connect(options(path))).value();
    auto large = node.spawn_fn<&large_when_told>();
    while (node.running() == 0) co_await kaido::sleep(1ms);
    auto ending = kaido::spawn(node.shutdown(1min));
    co_await kaido::yield_now();
    told.notify_one();
    static_cast<void>(co_await ending);
    static_cast<void>(co_await large);
  });
  fake.await_results(1);
}

TEST_P(EdgesTest, AConnectionMayGoWhileItsFunctionsRun) {
  kaido::testing::FakeNode fake(path_);
  for (int round = 0; round < 15; ++round) {
    runtime_.block_on([&]() -> kaido::Task<void> {
      auto node = (co_await kaido::NodeRuntime::connect(options(path_))).value();
      kaido::JoinSet<double> calls;
      for (int i = 0; i < 50; ++i) calls.spawn(node.remote<&seconds_of>().call(1s));
      auto pausing = node.spawn_fn<&pause_for>(1ms);
      EXPECT_TRUE(co_await calls.join_next());
    });
  }
}

template <class R>
struct PolledOnce {
  kaido::RemoteCall<R>& call;
  bool poll(kaido::PollContext& context) {
    EXPECT_FALSE(call.poll(context));
    return true;
  }
  void take() {}
};

/// Taken up when the turn ends, and dropped before that: it was made, and so it is cancelled.
TEST_P(EdgesTest, ACallMayBeDroppedInTheTurnThatMadeIt) {
  kaido::testing::FakeNode fake(path_);
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto connected = co_await kaido::NodeRuntime::connect(options(path_));
    const kaido::NodeRuntime node = std::move(connected).value();
    fake.hold();
    {
      auto dropped = node.remote<&seconds_of>().call(1s);
      PolledOnce<double> polled{dropped};
      co_await polled;
    }
    fake.release();
    EXPECT_EQ((co_await node.remote<&seconds_of>().call(2s)).value(), 2);
    fake.await_cancels(1);
  });
}

/// Nobody ends the turns of the connection's runtime, which has nothing to do, unless it is asked.
TEST(Edges, ACallMayBeAwaitedOnAnotherRuntime) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  auto theirs = kaido::RuntimeBuilder::new_multi_thread().worker_threads(1).enable_all().build().value();
  auto ours = kaido::RuntimeBuilder::new_current_thread().enable_all().build().value();
  auto node = theirs.block_on(kaido::NodeRuntime::connect(options(path).ping_interval(1h))).value();
  ours.block_on([&]() -> kaido::Task<void> {
    EXPECT_EQ((co_await node.remote<&seconds_of>().with_timeout(kPatience).call(2s)).value(), 2);
    fake.hold();
    const auto late = co_await node.remote<&seconds_of>().with_timeout(1ms).call(2s);
    EXPECT_TRUE(late.error().is_timed_out());
    fake.await_cancels(1);
  });
}

/// The thread has entered the runtime that the node belongs to, and yet it is the other one whose turn ends.
TEST(Edges, ACallMayBeAwaitedInTheContextOfItsRuntime) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  auto theirs = kaido::RuntimeBuilder::new_multi_thread().worker_threads(1).enable_all().build().value();
  auto ours = kaido::RuntimeBuilder::new_current_thread().enable_all().build().value();
  auto node = theirs.block_on(kaido::NodeRuntime::connect(options(path).ping_interval(1h))).value();
  const auto call = [&]() -> kaido::Task<std::int64_t> {
    co_return (co_await node.remote<&seconds_of>().with_timeout(kPatience).call(2s)).value();
  };
  ours.block_on([&]() -> kaido::Task<void> { EXPECT_EQ(co_await kaido::RuntimeContext(call(), theirs.handle()), 2); });
}

/// The node is not to wait until something else happens in this program.
TEST(Edges, TheResultOfAFunctionThatBlockedInPlaceGoesOut) {
  const std::string path = kaido::testing::new_socket_path();
  kaido::testing::FakeNode fake(path);
  auto runtime = kaido::RuntimeBuilder::new_multi_thread().worker_threads(1).enable_all().build().value();
  runtime.block_on([&]() -> kaido::Task<void> {
    const auto node = (co_await kaido::NodeRuntime::connect(options(path).ping_interval(1h))).value();
    EXPECT_EQ((co_await node.remote<&block_until_another_thread_goes_on>().with_timeout(kPatience).call()).value(), 1);
  });
}

TEST_P(EdgesTest, AProgramThatWasFirstUsesTheNodeWhenItComes) {
  const std::string folder = path_ + ".d";
  ASSERT_EQ(::mkdir(folder.c_str(), 0700), 0);
  ASSERT_EQ(::mkdir((folder + "/kaido").c_str(), 0700), 0);
  ::setenv("XDG_RUNTIME_DIR", folder.c_str(), 1);
  ::testing::internal::CaptureStderr();
  std::unique_ptr<kaido::testing::FakeNode> fake;
  runtime_.block_on([&]() -> kaido::Task<void> {
    EXPECT_EQ((co_await kaido::remote<&seconds_of>().call(1s)).value(), 1);
    fake = std::make_unique<kaido::testing::FakeNode>(folder + "/kaido/kaidod.sock");
    while (fake->prepared() == 0) EXPECT_EQ((co_await kaido::remote<&seconds_of>().call(2s)).value(), 2);
    EXPECT_EQ((co_await kaido::remote<&seconds_of>().call(3s)).value(), 3);
  });
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("there is a node now at " + folder), std::string::npos) << said;
  ::unsetenv("XDG_RUNTIME_DIR");
  fake.reset();
  ::rmdir((folder + "/kaido").c_str());
  ::rmdir(folder.c_str());
}

/// What was captured of stderr until now.
off_t said_bytes() {
  struct stat now{};
  return ::fstat(STDERR_FILENO, &now) == 0 ? now.st_size : 0;
}

TEST_P(EdgesTest, ServingSaysThatNobodyAnswersAndEndsOnRequest) {
  std::unique_ptr<kaido::testing::FakeNode> fake;
  ::testing::internal::CaptureStderr();
  runtime_.block_on([&]() -> kaido::Task<void> {
    auto [request_sender, request] = kaido::oneshot::channel<int>();
    auto wait = [](kaido::oneshot::Receiver<int> receiver) -> kaido::Task<void> {
      static_cast<void>(co_await receiver);
    };
    auto serving = kaido::spawn(kaido::serve_until(wait(std::move(request)), options(path_)));
    while (said_bytes() == 0) co_await kaido::sleep(1ms);
    fake = std::make_unique<kaido::testing::FakeNode>(path_);
    const off_t said_before = said_bytes();
    while (said_bytes() == said_before) co_await kaido::sleep(1ms);
    static_cast<void>(std::move(request_sender).send(1));
    EXPECT_TRUE((co_await serving).value().ok());
  });
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("there is no node at " + path_), std::string::npos) << said;
  EXPECT_NE(said.find("serving on node fake"), std::string::npos) << said;
}

TEST_P(EdgesTest, ASignalAsksToEnd) {
  runtime_.block_on([]() -> kaido::Task<void> {
    auto asked = kaido::spawn(kaido::shutdown_signal());
    // Until the handler is installed; then the kernel shows another disposition than the default.
    struct sigaction now{};
    while (::sigaction(SIGTERM, nullptr, &now) == 0 && now.sa_handler == SIG_DFL) co_await kaido::sleep(1ms);
    ::kill(::getpid(), SIGTERM);
    EXPECT_EQ((co_await asked).value(), SIGTERM);
    ::sigaction(SIGTERM, nullptr, &now);
    EXPECT_EQ(now.sa_handler, SIG_DFL);
  });
}

}  // namespace
