// Who waits for an event of the connection.
#include <new>
#include <utility>
#include <vector>

#include "sdk/client/node_connection.h"

namespace kaido::inline abi0::detail {

bool NodeConnection::is_so(Event event) const {
  if (session_.state() == Session::State::kClosed) return true;
  switch (event) {
    case Event::kRegisteredOrFailed:
      return session_.is_registered() || session_.failure().has_value();
    case Event::kRegistered:
      return session_.is_registered();
    case Event::kIdle:
      return is_idle();
    case Event::kNotRegistered:
      break;
  }
  return !session_.is_registered();
}

bool NodeConnection::poll_event(Event event, EventWaiter& waiter, PollContext& context) {
  Waker replaced;  // Dropped after the lock: that may run foreign code.
  const std::lock_guard lock(mutex_);
  if (is_so(event)) return true;
  waiter.event = event;
  if (!context.will_wake(waiter.waker)) replaced = std::exchange(waiter.waker, context.waker());
  if (!std::exchange(waiter.is_linked, true)) {
    waiter.previous = nullptr;
    waiter.next = event_waiters_;
    if (event_waiters_ != nullptr) event_waiters_->previous = &waiter;
    event_waiters_ = &waiter;
  }
  return false;
}

void NodeConnection::forget(EventWaiter& waiter) noexcept {
  Waker dropped;
  const std::lock_guard lock(mutex_);
  dropped = std::move(waiter.waker);
  if (waiter.is_linked) unlink(waiter);
}

void NodeConnection::unlink(EventWaiter& waiter) noexcept {
  waiter.is_linked = false;
  (waiter.previous != nullptr ? waiter.previous->next : event_waiters_) = waiter.next;
  if (waiter.next != nullptr) waiter.next->previous = waiter.previous;
}

/// Of what has come true: who serves is not woken for each call.
NodeConnection::EventWaiter* NodeConnection::next_told() const {
  EventWaiter* waiter = event_waiters_;
  while (waiter != nullptr && !is_so(waiter->event)) waiter = waiter->next;
  return waiter;
}

bool NodeConnection::take_event_waiters(std::vector<Waker>& into) noexcept {
  try {
    while (EventWaiter* const waiter = next_told()) {
      into.emplace_back();
      into.back() = std::move(waiter->waker);
      unlink(*waiter);
    }
  } catch (const std::bad_alloc&) {
    return false;
  }
  return true;
}

}  // namespace kaido::inline abi0::detail
