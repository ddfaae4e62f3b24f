#include <kaido/detail/buffer.h>

#include <cstddef>
#include <memory>

#include "proto/base/large_memory.h"

namespace kaido::inline abi0::detail {

static_assert(Buffer::kLargeBytes == base::kHugePagesFrom, "a smaller block would be asked about in vain");

std::unique_ptr<std::byte[]> allocate_large(std::size_t size) {
  std::unique_ptr<std::byte[]> bytes(new std::byte[size]);
  base::prefer_huge_pages(bytes.get(), size);
  return bytes;
}

}  // namespace kaido::inline abi0::detail
