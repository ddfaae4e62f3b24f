#include <kaido/detail/wait_list.h>

#include "sdk/runtime/remote_wakes.h"

namespace kaido::inline abi0::detail {

void wake_each(Waker* wakers, std::size_t count) noexcept {
  const RemoteWakes gathered;
  for (std::size_t index = 0; index < count; ++index) wakers[index].wake();
}

}  // namespace kaido::inline abi0::detail
