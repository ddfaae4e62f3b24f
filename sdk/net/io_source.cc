#include "sdk/net/io_source.h"

#include <stdexcept>
#include <utility>

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

IoSource::~IoSource() {
  core_->driver.remove(*waiters_);
  // A handler that is left in the driver must not keep alive, through a waker, the runtime that owns the driver.
  std::vector<Waker> dropped;
  waiters_->take_wakers(dropped);
  std::scoped_lock lock(waiters_->mutex);
  boost::system::error_code ignored;
  descriptor_.close(ignored);
}

bool IoSource::is_shut_down() const noexcept { return core_->driver.is_shut_down(); }

void IoSource::Waiters::take_wakers(std::vector<Waker>& into) {
  std::scoped_lock lock(mutex);
  for (Waker& waker : wakers) into.push_back(std::move(waker));
}

void IoSource::wait(PollContext& context, IoDirection direction) {
  const auto index = static_cast<std::size_t>(direction);
  const auto event = direction == IoDirection::kRead ? boost::asio::posix::stream_descriptor::wait_read
                                                     : boost::asio::posix::stream_descriptor::wait_write;
  Waker replaced;  // Dropped after the lock: that may run foreign code.
  std::scoped_lock lock(waiters_->mutex);
  if (!context.will_wake(waiters_->wakers[index])) {
    replaced = std::exchange(waiters_->wakers[index], context.waker());
  }
  if (std::exchange(waiters_->is_armed[index], true)) return;
  // Also tells of what became ready before it was asked.
  descriptor_.async_wait(event, [waiters = waiters_, index](const boost::system::error_code&) {
    Waker waker;
    {
      std::scoped_lock inner(waiters->mutex);
      waiters->is_armed[index] = false;
      waker = std::move(waiters->wakers[index]);
    }
    waker.wake();
  });
}

}  // namespace kaido::inline abi0::detail
