// Awaitables of one's own, and standard awaiters, which know nothing of Kaido.
#include <kaido/awaitable.h>

#include <chrono>
#include <coroutine>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/join.h>
#include <kaido/join_handle.h>
#include <kaido/runtime.h>
#include <kaido/select.h>
#include <kaido/spawn.h>
#include <kaido/testing/probe.h>
#include <kaido/time.h>

namespace kaido {
namespace {

using namespace std::chrono_literals;

/// Ready at the second poll.
class Later {
 public:
  bool poll(PollContext& context) {
    if (std::exchange(has_waited_, true)) return true;
    context.waker().wake();
    return false;
  }
  std::string take() { return "later"; }

 private:
  bool has_waited_ = false;
};

static_assert(Awaitable<Later> && Awaitable<Task<int>> && Awaitable<JoinHandle<int>> && !Awaitable<int>);

/// A standard awaiter that is resumed when the test says so.
class Gate {
 public:
  class Wait {
   public:
    explicit Wait(Gate& gate) : gate_(&gate) {}
    [[nodiscard]] bool await_ready() const { return gate_->is_open_; }
    void await_suspend(std::coroutine_handle<> waiting) { gate_->waiting_ = waiting; }
    [[nodiscard]] int await_resume() const { return gate_->value_; }

   private:
    Gate* gate_;
  };

  [[nodiscard]] Wait wait() { return Wait(*this); }
  void open(int value) {
    value_ = value;
    is_open_ = true;
    if (waiting_) std::exchange(waiting_, nullptr).resume();
  }
  [[nodiscard]] bool has_waiter() const { return waiting_ != nullptr; }

 private:
  bool is_open_ = false;
  int value_ = 0;
  std::coroutine_handle<> waiting_;
};

/// Neither copied nor moved; resumed by a thread of its own.
class OnThread {
 public:
  explicit OnThread(int value) : value_(value) {}
  OnThread(const OnThread&) = delete;
  OnThread& operator=(const OnThread&) = delete;
  [[nodiscard]] bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiting) {
    thread_ = std::thread([waiting] { waiting.resume(); });
  }
  int await_resume() {
    thread_.join();
    return value_;
  }

 private:
  std::thread thread_;
  const int value_;
};

/// The lazy coroutine of some other library: operator co_await, and a hand-over from coroutine to coroutine.
class Lazy {
 public:
  struct promise_type {
    Lazy get_return_object() { return Lazy(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    auto final_suspend() noexcept {
      struct Final {
        bool await_ready() noexcept { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> self) noexcept {
          return self.promise().continuation;
        }
        void await_resume() noexcept {}
      };
      return Final();
    }
    void return_value(int result) { value = result; }
    void unhandled_exception() { std::terminate(); }
    std::coroutine_handle<> continuation;
    int value = 0;
  };

  explicit Lazy(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  Lazy(Lazy&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Lazy& operator=(Lazy&&) = delete;
  ~Lazy() {
    if (frame_) frame_.destroy();
  }
  auto operator co_await() && {
    struct Wait {
      [[nodiscard]] bool await_ready() const { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) {
        frame.promise().continuation = waiting;
        return frame;
      }
      [[nodiscard]] int await_resume() const { return frame.promise().value; }
      std::coroutine_handle<promise_type> frame;
    };
    return Wait{frame_};
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};
Lazy lazy(int value) { co_return value; }

/// Its await_suspend says "go on" (false), or throws.
struct GoesOn {
  [[nodiscard]] bool await_ready() const { return false; }
  bool await_suspend(std::coroutine_handle<>) { return false; }
  [[nodiscard]] int await_resume() const { return 7; }
};
struct Throws {
  [[nodiscard]] bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<>) { throw std::runtime_error("no"); }
  void await_resume() const {}
};

Task<int> await_gate(Gate* gate) { co_return co_await gate->wait(); }

class AwaitableTest : public ::testing::Test {
 protected:
  Runtime runtime_ = RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all().build().value();
};

TEST_F(AwaitableTest, TwoMembersAreEnough) {
  runtime_.block_on([]() -> Task<void> {
    EXPECT_EQ(co_await Later(), "later");
    auto spawned = spawn(Later());
    EXPECT_EQ((co_await spawned).value(), "later");
    EXPECT_EQ((co_await timeout(1min, Later())).value(), "later");
    const auto [first, second] = co_await join(Later(), Later());
    EXPECT_EQ(first + second, "laterlater");
  });
}

TEST_F(AwaitableTest, StandardAwaitersOfEveryKindAreAwaited) {
  runtime_.block_on([]() -> Task<void> {
    Gate open;
    open.open(3);
    EXPECT_EQ(co_await open.wait(), 3);
    OnThread on_thread(4);
    EXPECT_EQ(co_await on_thread, 4);
    EXPECT_EQ(co_await OnThread(6), 6) << "a temporary that cannot be moved";
    EXPECT_EQ(co_await lazy(5), 5);
    GoesOn goes_on;
    EXPECT_EQ(co_await goes_on, 7);
    co_await std::suspend_never();
    Throws throws;
    bool has_thrown = false;
    try {
      co_await throws;
    } catch (const std::runtime_error&) {
      has_thrown = true;
    }
    EXPECT_TRUE(has_thrown);
  });
}

TEST_F(AwaitableTest, ATaskGoesOnOnItsOwnThreadsWhoeverResumesIt) {
  runtime_.block_on([]() -> Task<void> {
    auto spawned = spawn([]() -> Task<bool> {
      OnThread on_thread(0);
      co_await on_thread;
      co_return Handle::try_current().has_value();
    });
    EXPECT_TRUE((co_await spawned).value());
  });
}

TEST_F(AwaitableTest, CombinatorsTakeThemThroughFromAwaiter) {
  runtime_.block_on([]() -> Task<void> {
    OnThread on_thread(4);
    const auto in_time = co_await timeout(1min, from_awaiter(on_thread));
    EXPECT_EQ(in_time.value(), 4);
    const auto both = co_await join(from_awaiter(lazy(5)), from_awaiter(GoesOn()));
    EXPECT_EQ(std::get<0>(both) + std::get<1>(both), 12);
    auto spawned = spawn(from_awaiter(lazy(6)));
    EXPECT_EQ((co_await spawned).value(), 6);
  });
}

TEST(StandardAwaiter, WakesWhoWaits) {
  Gate gate;
  testing::Probe<int> probe(await_gate(&gate));
  EXPECT_FALSE(probe.poll());
  EXPECT_FALSE(probe.poll()) << "asked again although nothing has happened";
  EXPECT_FALSE(probe.is_woken());
  gate.open(8);
  EXPECT_TRUE(probe.is_woken());
  EXPECT_TRUE(probe.poll());
  EXPECT_EQ(probe.take(), 8);
}

TEST(StandardAwaiter, OneThatIsGivenUpIsWaitedForAndItsOutcomeCounts) {
  Runtime runtime = RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value();
  runtime.block_on([]() -> Task<void> {
    Gate gate;
    auto late = spawn(timeout(10ms, await_gate(&gate)));
    co_await sleep(20ms);
    EXPECT_TRUE(gate.has_waiter());
    EXPECT_FALSE(late.is_finished());
    gate.open(9);
    EXPECT_EQ((co_await late).value().value(), 9);

    Gate other;
    auto aborted = spawn([&]() -> Task<void> {
      co_await other.wait();
      co_await sleep(1h);
    });
    co_await yield_now();
    aborted.abort();
    co_await yield_now();
    EXPECT_FALSE(aborted.is_finished());
    other.open(1);
    EXPECT_TRUE((co_await aborted).error().is_cancelled());
  });
}

// The two forms of a loser: given away it is waited for and its outcome dropped; as a handle, by name, it keeps it.
TEST(StandardAwaiter, OneThatLosesASelectKeepsItsOutcomeIfItWasSpawned) {
  Runtime runtime = RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value();
  runtime.block_on([]() -> Task<void> {
    Gate gate;
    auto named = spawn(from_awaiter(gate.wait()));
    const auto first = co_await select(biased, named, sleep(1ms));
    EXPECT_EQ(first.index(), 1U) << "and nobody waited for the gate";
    EXPECT_TRUE(gate.has_waiter());
    gate.open(5);
    const auto second = co_await select(biased, named, sleep(1ms));
    EXPECT_EQ(std::get<0>(second).value(), 5);

    Gate other;
    bool has_gone_on = false;
    auto given_away = spawn([&]() -> Task<void> {
      const auto won = co_await select(biased, from_awaiter(other.wait()), sleep(1ms));
      EXPECT_EQ(won.index(), 1U);
      has_gone_on = true;
    });
    co_await sleep(10ms);
    EXPECT_FALSE(has_gone_on) << "the loser is waited for";
    other.open(6);
    EXPECT_TRUE(co_await given_away);
  });
}

TEST(StandardAwaiter, OneBesideAFailedBranchOfAJoinIsWaitedForAndDropped) {
  Runtime runtime = RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value();
  runtime.block_on([]() -> Task<void> {
    Gate gate;
    auto failing = []() -> Task<int> {
      co_await sleep(1ms);
      throw std::runtime_error("broken");
    };
    auto joined = spawn(join(failing(), from_awaiter(gate.wait())));
    co_await sleep(10ms);
    EXPECT_FALSE(joined.is_finished());
    gate.open(7);
    EXPECT_TRUE((co_await joined).error().is_panic());
  });
}

TEST(StandardAwaiter, OneThatWasNeverAwaitedIsJustDropped) {
  Gate gate;
  {
    auto dropped = from_awaiter(gate.wait());
    static_cast<void>(dropped);
  }
  EXPECT_FALSE(gate.has_waiter());
}

}  // namespace
}  // namespace kaido
