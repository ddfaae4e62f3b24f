// What an mpsc channel keeps when there is no memory: places and values.
#include <kaido/sync/mpsc.h>

#include <cstdlib>
#include <new>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "sdk/testing/poll_probe.h"

namespace {

thread_local bool has_memory = true;

}  // namespace

void* operator new(std::size_t size) {
  void* memory = has_memory ? std::malloc(size) : nullptr;
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace kaido {
namespace {

using testing::PollProbe;

/// Whether the poll found no memory.
template <typename A>
bool polls_in_vain(PollProbe<A>& probe) {
  bool is_in_vain = false;
  has_memory = false;
  try {
    static_cast<void>(probe.poll());
  } catch (const std::bad_alloc&) {
    is_in_vain = true;
  }
  has_memory = true;
  return is_in_vain;
}

TEST(MpscMemory, ASendThatFindsNoneGivesItsPlaceBack) {
  auto [tx, rx] = mpsc::channel<int>(1);
  std::optional<mpsc::Permit<int>> permit(tx.try_reserve().value());
  PollProbe send(tx.send(1));
  EXPECT_FALSE(send.poll());
  permit.reset();  // The place is the one's who waits.
  EXPECT_TRUE(polls_in_vain(send));
  EXPECT_EQ(tx.capacity(), 1U);
  EXPECT_TRUE(send.poll());
  EXPECT_TRUE(send.take().has_value());
  EXPECT_EQ(rx.try_recv().value(), 1);
  EXPECT_EQ(tx.capacity(), 1U);
}

TEST(MpscMemory, AReceiveThatFindsNoneLeavesTheValues) {
  auto [tx, rx] = mpsc::channel<int>(8);
  for (int value = 0; value < 8; ++value) EXPECT_TRUE(tx.try_send(value).has_value());
  std::vector<int> buffer;
  {
    PollProbe receive(rx.recv_many(buffer, 8));
    EXPECT_TRUE(polls_in_vain(receive));
  }
  EXPECT_EQ(rx.len(), 8U);
  buffer.reserve(3);
  {
    PollProbe receive(rx.recv_many(buffer, 8));
    EXPECT_TRUE(polls_in_vain(receive));
  }
  EXPECT_EQ(buffer, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(rx.try_recv().value(), 3);
}

}  // namespace
}  // namespace kaido
