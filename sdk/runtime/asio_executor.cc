#include <kaido/detail/asio_executor.h>

#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/thread_state.h"

#include <boost/asio/io_context.hpp>

namespace kaido::detail {

bool runs_on_this_thread(const RuntimeCore& core) noexcept {
  return thread_state.local != nullptr && thread_state.core == &core;
}

boost::asio::execution_context& execution_context(RuntimeCore& core) noexcept { return core.driver.io_context(); }

}  // namespace kaido::detail
