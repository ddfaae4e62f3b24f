#include <kaido/detail/asio_executor.h>

#include "sdk/runtime/core_link.h"
#include "sdk/runtime/runtime_core.h"
#include "sdk/runtime/thread_state.h"

#include <boost/asio/io_context.hpp>

namespace kaido::inline abi0::detail {

CoreRef CoreLink::lock() noexcept {
  const std::scoped_lock lock(mutex_);
  if (core_ == nullptr || !core_->try_add_ref()) return CoreRef();
  CoreRef core(core_);
  core_->drop_ref();  // The one of try_add_ref(); the other is the caller's.
  return core;
}

boost::asio::execution_context& CoreLink::context() const noexcept {
  if (auto* context = context_.load(std::memory_order_acquire)) return *context;
  static auto* const ended = new boost::asio::io_context();
  return *ended;
}

std::shared_ptr<CoreLink> link_to(const CoreRef& core) noexcept { return core->link.get(); }

CoreRef lock_core(CoreLink& link) noexcept { return link.lock(); }

bool runs_on_this_thread(const CoreLink& link) noexcept {
  // Whose tasks it runs, and not only whom it has entered: a task of another runtime may have (RuntimeContext).
  const LocalScheduler* local = thread_state.local;
  return local != nullptr && thread_state.core == &local->core && local->core.link.get().get() == &link;
}

boost::asio::execution_context& execution_context(const CoreLink& link) noexcept { return link.context(); }

}  // namespace kaido::inline abi0::detail
