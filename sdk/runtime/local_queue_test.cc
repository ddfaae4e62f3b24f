#include "sdk/runtime/local_queue.h"

#include <atomic>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <kaido/runtime.h>

#include "sdk/runtime/runtime_core.h"

namespace kaido::detail {
namespace {

/// Never run: the queue only moves it.
class Dummy final : public TaskHeader {
 public:
  Dummy(RuntimeCore& core, int number) : TaskHeader(&core), number(number) {}
  const int number;

 private:
  bool poll(PollContext&) noexcept override { return true; }
  void drop_frame() noexcept override {}
  std::exception_ptr drop_outcome() noexcept override { return nullptr; }
  bool has_panicked() const noexcept override { return false; }
  void destroy() noexcept override {}
};

class LocalQueueTest : public ::testing::Test {
 protected:
  void make(int count) {
    for (int i = 0; i < count; ++i) tasks_.push_back(std::make_unique<Dummy>(*runtime_.handle().core(), i));
  }
  static int number(TaskHeader* task) { return static_cast<Dummy*>(task)->number; }

  Runtime runtime_ = RuntimeBuilder::new_current_thread().build().value();
  std::vector<std::unique_ptr<Dummy>> tasks_;
  LocalQueue queue_;
  TaskQueue overflow_;
};

TEST_F(LocalQueueTest, IsFirstInFirstOut) {
  make(3);
  for (auto& task : tasks_) queue_.push_back(*task, overflow_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(number(queue_.pop()), i);
  EXPECT_EQ(queue_.pop(), nullptr);
}

TEST_F(LocalQueueTest, The257thTaskMovesTheOlderHalfOut) {
  make(257);
  for (int i = 0; i < 256; ++i) queue_.push_back(*tasks_[i], overflow_);
  EXPECT_TRUE(overflow_.empty());
  EXPECT_EQ(queue_.room(), 0u);
  queue_.push_back(*tasks_[256], overflow_);
  EXPECT_EQ(overflow_.size(), 129u);
  EXPECT_EQ(number(overflow_.pop()), 0);
  EXPECT_EQ(number(queue_.pop()), 128);
}

TEST_F(LocalQueueTest, FitsARingfulInChunks) {
  make(256);
  // Whatever was popped before: the indices run on and wrap around.
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 100; ++i) queue_.push_back(*tasks_[i], overflow_);
    EXPECT_EQ(queue_.room(), 156u);
    for (int i = 100; i < 256; ++i) queue_.push_back(*tasks_[i], overflow_);
    EXPECT_EQ(queue_.room(), 0u);
    for (int i = 0; i < 256; ++i) ASSERT_EQ(number(queue_.pop()), i);
    EXPECT_TRUE(queue_.is_empty());
  }
  EXPECT_TRUE(overflow_.empty());
}

TEST_F(LocalQueueTest, OverflowLosesNothing) {
  constexpr int kTasks = 1000;
  make(kTasks);
  std::vector<int> seen(kTasks);
  for (auto& task : tasks_) queue_.push_back(*task, overflow_);
  EXPECT_GE(overflow_.size(), kTasks - LocalQueue::kCapacity);
  while (TaskHeader* task = overflow_.pop()) ++seen[number(task)];
  while (TaskHeader* task = queue_.pop()) ++seen[number(task)];
  for (int count : seen) ASSERT_EQ(count, 1);
}

TEST_F(LocalQueueTest, AThiefIsToldHowManyItTook) {
  make(4);
  std::uint32_t stolen = 9;
  LocalQueue thief;
  EXPECT_EQ(queue_.steal_into(thief, stolen), nullptr);
  EXPECT_EQ(stolen, 0u);
  for (auto& task : tasks_) queue_.push_back(*task, overflow_);
  EXPECT_NE(queue_.steal_into(thief, stolen), nullptr);
  EXPECT_EQ(stolen, 2u);
  EXPECT_EQ(thief.size(), 1u);
}

TEST_F(LocalQueueTest, AThiefWithHalfARingIsNotHungry) {
  make(256);
  LocalQueue thief;
  for (int i = 0; i < 129; ++i) thief.push_back(*tasks_[i], overflow_);
  for (int i = 129; i < 256; ++i) queue_.push_back(*tasks_[i], overflow_);
  EXPECT_EQ(queue_.steal_into(thief), nullptr);
  EXPECT_EQ(queue_.size(), 127u);
}

TEST_F(LocalQueueTest, AThiefTakesHalf) {
  make(9);
  for (auto& task : tasks_) queue_.push_back(*task, overflow_);
  LocalQueue thief;
  EXPECT_EQ(number(queue_.steal_into(thief)), 4);
  EXPECT_EQ(thief.size(), 4u);
  EXPECT_EQ(number(thief.pop()), 0);
  EXPECT_EQ(queue_.size(), 4u);
  EXPECT_EQ(number(queue_.pop()), 5);
}

TEST_F(LocalQueueTest, AnOwnerThatDrainsRacesWithAThief) {
  constexpr int kRounds = 200;
  constexpr int kPerRound = 256;
  make(kPerRound);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::atomic<int>> seen(kPerRound);
    for (auto& task : tasks_) queue_.push_back(*task, overflow_);
    std::thread thief([&] {
      LocalQueue own;
      while (TaskHeader* task = queue_.steal_into(own)) {
        ++seen[number(task)];
        while (TaskHeader* more = own.pop()) ++seen[number(more)];
      }
    });
    while (TaskHeader* task = queue_.pop()) ++seen[number(task)];
    thief.join();
    while (TaskHeader* task = queue_.pop()) ++seen[number(task)];
    for (int i = 0; i < kPerRound; ++i) ASSERT_EQ(seen[i], 1) << i;
  }
}

TEST_F(LocalQueueTest, NothingIsLostOrDoubledUnderTheft) {
  constexpr int kTasks = 20'000;
  make(kTasks);
  std::vector<std::atomic<int>> seen(kTasks);
  std::atomic<bool> done = false;
  auto steal = [&] {
    LocalQueue own;
    for (;;) {
      const bool last_round = done;
      if (TaskHeader* task = queue_.steal_into(own)) ++seen[number(task)];
      while (TaskHeader* task = own.pop()) ++seen[number(task)];
      if (last_round) return;
    }
  };
  std::thread first(steal);
  std::thread second(steal);
  for (int i = 0; i < kTasks; ++i) {
    queue_.push_back(*tasks_[i], overflow_);
    if (i % 3 == 0) {
      if (TaskHeader* task = queue_.pop()) ++seen[number(task)];
    }
    while (TaskHeader* task = overflow_.pop()) ++seen[number(task)];
  }
  done = true;
  first.join();
  second.join();
  while (TaskHeader* task = queue_.pop()) ++seen[number(task)];
  for (int i = 0; i < kTasks; ++i) ASSERT_EQ(seen[i], 1) << i;
}

TEST_F(LocalQueueTest, TheSizeSeenFromElsewhereIsNeverMoreThanFits) {
  make(1);
  std::atomic<bool> done = false;
  std::thread observer([&] {
    while (!done) EXPECT_LE(queue_.size(), LocalQueue::kCapacity);
  });
  for (int i = 0; i < 200'000; ++i) {
    queue_.push_back(*tasks_[0], overflow_);
    EXPECT_EQ(queue_.pop(), &*tasks_[0]);
  }
  done = true;
  observer.join();
}

}  // namespace
}  // namespace kaido::detail
