#include <kaido/detail/wait_list.h>

#include <array>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace kaido::detail {
namespace {

struct Numbered : WaitNode {
  int number = 0;
};

class WaitListTest : public ::testing::Test {
 protected:
  WaitListTest() {
    for (int i = 0; i < 5; ++i) nodes_[static_cast<std::size_t>(i)].number = i;
  }
  void push(WaitList<Numbered>& list, std::initializer_list<int> numbers) {
    for (int number : numbers) list.push_back(nodes_[static_cast<std::size_t>(number)]);
  }
  static std::vector<int> drain(WaitList<Numbered>& list) {
    std::vector<int> numbers;
    while (Numbered* node = list.pop_front()) numbers.push_back(node->number);
    return numbers;
  }

  std::array<Numbered, 5> nodes_;
};

TEST_F(WaitListTest, IsFirstInFirstOut) {
  WaitList<Numbered> list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.pop_front(), nullptr);
  push(list, {0, 1, 2});
  EXPECT_TRUE(nodes_[1].is_linked());
  EXPECT_EQ(list.front(), &nodes_[0]);
  EXPECT_EQ(list.back(), &nodes_[2]);
  EXPECT_EQ(drain(list), std::vector<int>({0, 1, 2}));
  EXPECT_TRUE(list.empty());
  EXPECT_FALSE(nodes_[1].is_linked());
}

TEST_F(WaitListTest, GivesTheNewestFromTheBack) {
  WaitList<Numbered> list;
  push(list, {0, 1});
  EXPECT_EQ(list.pop_back(), &nodes_[1]);
  EXPECT_EQ(list.pop_back(), &nodes_[0]);
  EXPECT_EQ(list.pop_back(), nullptr);
}

TEST_F(WaitListTest, LetsGoOfAnyNode) {
  for (std::size_t removed : {0U, 1U, 2U}) {
    WaitList<Numbered> list;
    push(list, {0, 1, 2});
    WaitList<Numbered>::remove(nodes_[removed]);
    EXPECT_FALSE(nodes_[removed].is_linked());
    std::vector<int> expected({0, 1, 2});
    expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(removed));
    EXPECT_EQ(drain(list), expected);
  }
}

TEST_F(WaitListTest, MovesToAnotherListAndCanStillBeRemoved) {
  WaitList<Numbered> waiting;
  WaitList<Numbered> woken;
  push(woken, {0});
  push(waiting, {1, 2, 3});
  woken.splice_back(waiting);
  EXPECT_TRUE(waiting.empty());
  push(waiting, {4});
  WaitList<Numbered>::remove(nodes_[2]);
  EXPECT_EQ(drain(woken), std::vector<int>({0, 1, 3}));
  EXPECT_EQ(drain(waiting), std::vector<int>({4}));
  woken.splice_back(waiting);
  EXPECT_TRUE(woken.empty());
}

/// Writes down its wake-ups.
class Recorder final : public WakeTarget {
 public:
  Recorder(int number, std::vector<int>& log) : WakeTarget(kOneRef), number_(number), log_(log) {}
  ~Recorder() override = default;
  void wake_by_ref() noexcept override { log_.push_back(number_); }
  void destroy() noexcept override { is_destroyed = true; }
  bool is_destroyed = false;

 private:
  int number_;
  std::vector<int>& log_;
};

TEST(WakeBatch, WakesInOrderAtTheLatestWhenItGoes) {
  std::vector<int> log;
  Recorder first(1, log);
  Recorder second(2, log);
  {
    WakeBatch batch;
    batch.add(Waker(first));
    batch.wake_all();
    EXPECT_EQ(log, std::vector<int>({1}));
    batch.add(Waker(second));
    batch.add(Waker(first));
    EXPECT_EQ(log.size(), 1U);
  }
  EXPECT_EQ(log, std::vector<int>({1, 2, 1}));
  first.drop_ref();
  EXPECT_TRUE(first.is_destroyed);  // The batch kept nothing.
}

TEST(WakeBatch, IsFullAtItsCapacity) {
  std::vector<int> log;
  Recorder target(1, log);
  WakeBatch batch;
  for (std::size_t i = 0; i < WakeBatch::kCapacity; ++i) {
    EXPECT_FALSE(batch.is_full());
    batch.add(Waker(target));
  }
  EXPECT_TRUE(batch.is_full());
  batch.wake_all();
  EXPECT_FALSE(batch.is_full());
  EXPECT_EQ(log.size(), WakeBatch::kCapacity);
}

}  // namespace
}  // namespace kaido::detail
