/// Memory for payloads so large that the kernel's work for each page of it shows.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace kaido::base {

/// From here on a block gets huge pages. An allocator asks the kernel for blocks of this order each time they are
/// wanted (glibc: from 32 MiB always), and a fault for each 4 KiB of them costs as much as copying the bytes.
inline constexpr std::size_t kHugePagesFrom = std::size_t{4} << 20U;

/// Asks the kernel to back what it has not yet touched of `memory` by pages of 2 MiB, if its size is worth it. A hint:
/// where transparent huge pages are switched off it does nothing. Costs one system call for large sizes, a comparison
/// for others.
inline void prefer_huge_pages(void* memory, std::size_t size) noexcept {
  if (size < kHugePagesFrom) return;
  constexpr std::uintptr_t kHugePage = std::uintptr_t{2} << 20U;
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (begin + kHugePage - 1) & ~(kHugePage - 1);
  const std::uintptr_t last = (begin + size) & ~(kHugePage - 1);
  if (first < last) madvise(static_cast<std::byte*>(memory) + (first - begin), last - first, MADV_HUGEPAGE);
}

}  // namespace kaido::base
