// Wake-ups that travel together: many tasks woken from outside, and tasks that yield.
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/coop.h>
#include <kaido/detail/wait_list.h>
#include <kaido/join.h>
#include <kaido/metrics.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/time.h>

namespace kaido {
namespace {

using namespace std::chrono_literals;

Runtime current_thread() { return RuntimeBuilder::new_current_thread().enable_all().build().value(); }
Runtime multi_thread(std::size_t workers = 2) {
  return RuntimeBuilder::new_multi_thread().worker_threads(workers).enable_all().build().value();
}

/// Leaves its waker where the test finds it, and is ready once it was let go.
struct Gate {
  std::atomic<bool> is_open = false;
  std::atomic<bool> is_waiting = false;
  detail::Waker waker;
};
class Pass {
 public:
  explicit Pass(Gate& gate) noexcept : gate_(&gate) {}
  bool poll(PollContext& context) {
    if (gate_->is_open.load()) return true;
    if (!gate_->is_waiting.load()) {
      gate_->waker = context.waker();
      gate_->is_waiting.store(true);
    }
    return false;
  }
  void take() noexcept {}

 private:
  Gate* gate_;
};

Task<void> pass(Gate& gate) { co_await Pass(gate); }

/// Opens all gates and wakes who waits at them, in one go.
void open_all(std::vector<std::unique_ptr<Gate>>& gates) {
  std::vector<detail::Waker> wakers;
  for (auto& gate : gates) {
    while (!gate->is_waiting.load()) std::this_thread::yield();
    gate->is_open.store(true);
    wakers.push_back(std::move(gate->waker));
  }
  detail::wake_each(wakers.data(), wakers.size());
  for (const detail::Waker& waker : wakers) EXPECT_FALSE(waker);
}

std::vector<std::unique_ptr<Gate>> make_gates(std::size_t count) {
  std::vector<std::unique_ptr<Gate>> gates;
  for (std::size_t index = 0; index < count; ++index) gates.push_back(std::make_unique<Gate>());
  return gates;
}

TEST(WakeEach, QueuesAllTasksOfARuntimeThatStands) {
  Runtime runtime = current_thread();
  auto gates = make_gates(300);
  std::vector<JoinHandle<void>> tasks;
  for (auto& gate : gates) tasks.push_back(runtime.spawn(pass(*gate)));
  runtime.block_on([]() -> Task<void> {
    for (int turns = 0; turns < 20; ++turns) co_await yield_now();
  });
  const auto before = runtime.metrics().remote_schedule_count();
  open_all(gates);
  EXPECT_EQ(runtime.metrics().remote_schedule_count() - before, gates.size());
  EXPECT_EQ(runtime.metrics().global_queue_depth(), gates.size());
  for (auto& task : tasks) EXPECT_TRUE(runtime.block_on(task));
}

TEST(WakeEach, WakesTheWorkersOfEveryRuntime) {
  std::array<Runtime, 2> runtimes{multi_thread(), multi_thread()};
  for (int round = 0; round < 50; ++round) {
    auto gates = make_gates(100);
    std::vector<JoinHandle<void>> tasks;
    for (std::size_t index = 0; index < gates.size(); ++index) {
      tasks.push_back(runtimes[index / 3 % 2].spawn(pass(*gates[index])));
    }
    open_all(gates);
    for (std::size_t index = 0; index < gates.size(); ++index) {
      EXPECT_TRUE(runtimes[index / 3 % 2].block_on(tasks[index]));
    }
  }
}

TEST(WakeEach, WakesTasksOfTheRuntimeItIsIn) {
  Runtime runtime = multi_thread(4);
  for (int round = 0; round < 50; ++round) {
    auto gates = make_gates(100);
    std::vector<JoinHandle<void>> tasks;
    for (auto& gate : gates) tasks.push_back(runtime.spawn(pass(*gate)));
    auto opener = runtime.spawn([&]() -> Task<void> {
      open_all(gates);
      co_return;
    });
    EXPECT_TRUE(runtime.block_on(opener));
    for (auto& task : tasks) EXPECT_TRUE(runtime.block_on(task));
  }
}

/// Counts the frames that are gone.
class CountsItsEnd {
 public:
  explicit CountsItsEnd(std::atomic<int>& count) noexcept : count_(&count) {}
  CountsItsEnd(CountsItsEnd&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  ~CountsItsEnd() {
    if (count_ != nullptr) count_->fetch_add(1);
  }

 private:
  std::atomic<int>* count_;
};

Task<void> yield_for_ever(CountsItsEnd) {
  for (;;) co_await yield_now();
}

TEST(Yield, TasksThatYieldForEverEndWithTheirRuntime) {
  for (const bool is_multi_thread : {false, true}) {
    std::atomic<int> ended = 0;
    {
      Runtime runtime = is_multi_thread ? multi_thread() : current_thread();
      for (int task = 0; task < 50; ++task) static_cast<void>(runtime.spawn(yield_for_ever(CountsItsEnd(ended))));
      runtime.block_on([]() -> Task<void> {
        for (int turns = 0; turns < 5; ++turns) co_await yield_now();
      });
    }
    EXPECT_EQ(ended.load(), 50);
  }
}

TEST(Yield, ATaskThatHasYieldedCanBeAborted) {
  for (const bool is_multi_thread : {false, true}) {
    std::atomic<int> ended = 0;
    Runtime runtime = is_multi_thread ? multi_thread() : current_thread();
    runtime.block_on([&]() -> Task<void> {
      for (int round = 0; round < 100; ++round) {
        auto task = spawn(yield_for_ever(CountsItsEnd(ended)));
        for (int turns = 0; turns < round % 4; ++turns) co_await yield_now();
        task.abort();
        const auto result = co_await task;
        EXPECT_TRUE(!result && result.error().is_cancelled());
        EXPECT_EQ(ended.load(), round + 1);
      }
    });
  }
}

// The worker goes to another thread within the poll in which the task yields.
TEST(Yield, ATaskThatYieldsAndBlocksInPlaceGoesOn) {
  Runtime runtime = multi_thread();
  auto task = runtime.spawn([]() -> Task<void> {
    auto block = []() -> Task<void> {
      block_in_place([] { std::this_thread::yield(); });
      co_return;
    };
    for (int round = 0; round < 200; ++round) co_await join(yield_now(), block());
  });
  EXPECT_TRUE(runtime.block_on(task));
}

// One that is woken while it yields is not queued twice, and loses neither.
TEST(Yield, AWakeUpDuringAYieldIsSeen) {
  Runtime runtime = multi_thread();
  for (int round = 0; round < 200; ++round) {
    auto gates = make_gates(2);
    auto task = runtime.spawn([&]() -> Task<void> { co_await join(Pass(*gates[0]), Pass(*gates[1]), yield_now()); });
    open_all(gates);
    EXPECT_TRUE(runtime.block_on(task));
  }
}

}  // namespace
}  // namespace kaido
