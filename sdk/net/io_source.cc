#include "sdk/net/io_source.h"

#include <stdexcept>
#include <utility>

#include <kaido/detail/wake_all.h>

#include "sdk/runtime/runtime_core.h"

namespace kaido::inline abi0::detail {

namespace {

RuntimeCore& core_with_io() {
  RuntimeCore& core = current_core();
  if (!core.options.enable_io) {
    throw std::logic_error("kaido: I/O is disabled on this runtime: build it with enable_io() or enable_all()");
  }
  return core;
}

}  // namespace

IoSource::IoSource(int socket) : core_(&core_with_io()), descriptor_(core_->driver.io_context(), socket) {
  core_->driver.add(*waiters_);
}

// Nobody waits: operations keep their source.
IoSource::~IoSource() {
  core_->driver.remove(*waiters_);
  std::scoped_lock lock(waiters_->mutex);
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

bool IoSource::is_shut_down() const noexcept { return core_->driver.is_shut_down(); }

void IoSource::Waiters::take_wakers(std::vector<Waker>& into) {
  std::scoped_lock lock(mutex);
  for (auto& list : lists) {
    while (QueuedNode* node = list.pop_front()) {
      into.push_back(std::move(node->waker));
      node->is_queued.store(false, std::memory_order_release);
    }
  }
}

// All of them: the first may have gone by the time it would try.
void IoSource::Waiters::wake(std::size_t direction) noexcept {
  std::unique_lock lock(mutex);
  is_armed[direction] = false;
  wake_all(lock, lists[direction], [](QueuedNode& node) { node.is_queued.store(false, std::memory_order_release); });
}

void IoSource::wait(QueuedNode& node, PollContext& context, IoDirection direction) {
  const auto index = static_cast<std::size_t>(direction);
  const auto event = direction == IoDirection::kRead ? boost::asio::posix::stream_descriptor::wait_read
                                                     : boost::asio::posix::stream_descriptor::wait_write;
  Waker replaced;  // Dropped after the lock: that may run foreign code.
  std::scoped_lock lock(waiters_->mutex);
  if (!node.is_linked()) waiters_->lists[index].push_back(node);
  node.is_queued.store(true, std::memory_order_relaxed);
  replaced = node.store_waker(context);
  if (waiters_->is_armed[index]) return;
  // Also tells of what became ready before it was asked.
  descriptor_.async_wait(event,
                         [waiters = waiters_, index](const boost::system::error_code&) { waiters->wake(index); });
  waiters_->is_armed[index] = true;  // Only now: without memory nobody would ask again.
}

void IoSource::leave(QueuedNode& node) noexcept {
  const std::scoped_lock lock(waiters_->mutex);
  if (node.is_linked()) WaitList<QueuedNode>::remove(node);
  node.is_queued.store(false, std::memory_order_relaxed);
}

}  // namespace kaido::inline abi0::detail
