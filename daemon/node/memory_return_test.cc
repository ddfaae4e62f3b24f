#include "daemon/node/memory_return.h"

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

constexpr std::size_t kWorth = MemoryReturn::kWorthBytes;

TEST(MemoryReturn, IsDueOnceAfterAFlood) {
  MemoryReturn memory;
  EXPECT_FALSE(memory.is_due(0));
  EXPECT_FALSE(memory.is_due(10 * kWorth)) << "it is in use";
  EXPECT_TRUE(memory.is_due(kWorth));
  EXPECT_FALSE(memory.is_due(kWorth));
}

TEST(MemoryReturn, IsNotDueForWhatComesAndGoes) {
  MemoryReturn memory;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(memory.is_due(kWorth + static_cast<std::size_t>(i % 2) * (kWorth - 1)));
}

TEST(MemoryReturn, AddsUpWhatIsGivenBackSlowly) {
  MemoryReturn memory;
  EXPECT_FALSE(memory.is_due(2 * kWorth));
  EXPECT_FALSE(memory.is_due(2 * kWorth - kWorth / 2));
  EXPECT_TRUE(memory.is_due(kWorth));
}

}  // namespace
}  // namespace kaido::daemon
