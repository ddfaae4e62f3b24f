#include "proto/base/large_memory.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>

namespace kaido::base {
namespace {

/// Whether the kernel was asked for huge pages where `address` is: "hg" among the mapping's flags.
bool wants_huge_pages(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool is_within = false;
  for (std::string line; std::getline(maps, line);) {
    std::size_t end = 0;
    if (line.find('-') < line.find(' ')) {
      const std::uintptr_t first = std::stoull(line, &end, 16);
      const std::uintptr_t last = std::stoull(line.substr(end + 1), nullptr, 16);
      is_within = first <= wanted && wanted < last;
    } else if (is_within && line.starts_with("VmFlags:")) {
      return line.find(" hg") != std::string::npos;
    }
  }
  return false;
}

bool kernel_has_huge_pages() { return access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) == 0; }

/// Mapped for the test alone, so that no other test's advice is seen.
class LargeMemory : public ::testing::TestWithParam<std::size_t> {
 protected:
  void* map(std::size_t size) {
    void* const memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(memory, MAP_FAILED);
    return memory;
  }
};

TEST_P(LargeMemory, IsOnHugePagesFromASizeOn) {
  const std::size_t size = GetParam();
  void* const memory = map(size);
  prefer_huge_pages(memory, size);
  const bool is_large = size >= kHugePagesFrom;
  EXPECT_EQ(wants_huge_pages(static_cast<std::byte*>(memory) + size / 2), is_large && kernel_has_huge_pages());
  static_cast<std::byte*>(memory)[size - 1] = std::byte{1};
  EXPECT_EQ(munmap(memory, size), 0);
}

INSTANTIATE_TEST_SUITE_P(Sizes, LargeMemory,
                         ::testing::Values(1, kHugePagesFrom - 1, kHugePagesFrom, kHugePagesFrom + 1,
                                           (std::size_t{60} << 20U) + 5));

}  // namespace
}  // namespace kaido::base
