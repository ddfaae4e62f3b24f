#include <kaido/sync/oneshot.h>

namespace kaido::inline abi0::detail {

bool OneshotState::complete() noexcept {
  std::uint32_t word = word_.load(std::memory_order_relaxed);
  do {
    if ((word & kClosed) != 0) return false;
  } while (!word_.compare_exchange_weak(word, word | kComplete, std::memory_order_acq_rel, std::memory_order_acquire));
  if ((word & kReceiverWaits) != 0) receiver_.wake_by_ref();
  return true;
}

void OneshotState::close() noexcept {
  const std::uint32_t word = word_.fetch_or(kClosed, std::memory_order_acq_rel);
  if ((word & (kSenderWaits | kComplete | kClosed)) == kSenderWaits) sender_.wake_by_ref();
}

bool OneshotState::poll_end(PollContext& context, Waker& slot, std::uint32_t waits, std::uint32_t ready) noexcept {
  std::uint32_t word = load();
  if ((word & ready) != 0) return true;
  if ((word & waits) != 0) {
    if (context.will_wake(slot)) return false;
    // Take the slot back before writing it. If the other end was faster, it may be waking through it now.
    word = word_.fetch_and(~waits, std::memory_order_acq_rel);
    if ((word & ready) != 0) return true;
  }
  slot = context.waker();
  word = word_.fetch_or(waits, std::memory_order_acq_rel);
  return (word & ready) != 0;
}

}  // namespace kaido::inline abi0::detail
