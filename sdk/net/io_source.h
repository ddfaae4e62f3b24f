/// IoSource: a socket in a runtime's driver: who waits for it to become readable or writable.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <kaido/detail/wait_list.h>
#include <kaido/handle.h>
#include <kaido/net.h>

#include "sdk/runtime/driver.h"

namespace kaido::inline abi0::detail {

/// Threading: thread-safe.
/// Lifetime: keeps the runtime's inner part. The handlers in flight keep only the part that is theirs.
class IoSource {
 public:
  /// Takes over the socket, which does not block. Throws std::logic_error outside a runtime or on one without I/O.
  explicit IoSource(int socket);
  IoSource(const IoSource&) = delete;
  IoSource& operator=(const IoSource&) = delete;
  ~IoSource();

  [[nodiscard]] int socket() noexcept { return descriptor_.native_handle(); }
  [[nodiscard]] bool is_shut_down() const noexcept;
  /// Wakes the poller when the socket may be ready, with all others who wait for the same.
  void wait(QueuedNode& node, PollContext& context, IoDirection direction);
  void leave(QueuedNode& node) noexcept;

 private:
  /// What handlers and shutdown touch.
  struct Waiters final : IoWaiters {
    void take_wakers(std::vector<Waker>& into) override;
    void wake(std::size_t direction) noexcept;
    std::mutex mutex;
    std::array<WaitList<QueuedNode>, 2> lists;  // Under the mutex; by direction.
    std::array<bool, 2> is_armed{};             // The same: a handler in the driver will call wake().
  };

  const CoreRef core_;
  const std::shared_ptr<Waiters> waiters_ = std::make_shared<Waiters>();
  boost::asio::posix::stream_descriptor descriptor_;  // Under the waiters' mutex.
};

}  // namespace kaido::inline abi0::detail
