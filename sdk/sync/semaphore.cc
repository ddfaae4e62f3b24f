#include <kaido/sync/semaphore.h>

#include <stdexcept>

namespace kaido::inline abi0 {

namespace {

[[noreturn]] void throw_unrelated() { throw std::logic_error("kaido: merging permits of different semaphores"); }

TryAcquireError failure(detail::BatchSemaphore::Taken taken) noexcept {
  return taken == detail::BatchSemaphore::Taken::kClosed ? TryAcquireError::kClosed : TryAcquireError::kNoPermits;
}

}  // namespace

void SemaphorePermit::merge(SemaphorePermit other) {
  if (other.hold_.semaphore() != hold_.semaphore()) throw_unrelated();
  hold_.add(other.hold_.count());
  other.hold_.forget();
}

std::optional<SemaphorePermit> SemaphorePermit::split(std::size_t count) noexcept {
  if (count > hold_.count()) return std::nullopt;
  hold_.subtract(count);
  return SemaphorePermit(detail::PermitHold(*hold_.semaphore(), count));
}

void OwnedSemaphorePermit::merge(OwnedSemaphorePermit other) {
  if (other.owner_ != owner_) throw_unrelated();
  hold_.add(other.hold_.count());
  other.hold_.forget();
}

std::optional<OwnedSemaphorePermit> OwnedSemaphorePermit::split(std::size_t count) noexcept {
  if (count > hold_.count()) return std::nullopt;
  hold_.subtract(count);
  return OwnedSemaphorePermit(owner_, detail::PermitHold(*hold_.semaphore(), count));
}

Expected<SemaphorePermit, AcquireError> Semaphore::Borrow::operator()(bool granted) const noexcept {
  if (!granted) return AcquireError();
  return SemaphorePermit(detail::PermitHold(semaphore->permits_, count));
}

Expected<OwnedSemaphorePermit, AcquireError> Semaphore::Share::operator()(bool granted) noexcept {
  if (!granted) return AcquireError();
  detail::BatchSemaphore& permits = owner->permits_;
  return OwnedSemaphorePermit(std::move(owner), detail::PermitHold(permits, count));
}

Expected<SemaphorePermit, TryAcquireError> Semaphore::try_acquire_many(std::size_t count) noexcept {
  const auto taken = permits_.try_take(count);
  if (taken != detail::BatchSemaphore::Taken::kYes) return failure(taken);
  return SemaphorePermit(detail::PermitHold(permits_, count));
}

Expected<OwnedSemaphorePermit, TryAcquireError> Semaphore::try_acquire_many_owned(std::size_t count) {
  auto owner = shared_from_this();
  const auto taken = permits_.try_take(count);
  if (taken != detail::BatchSemaphore::Taken::kYes) return failure(taken);
  return OwnedSemaphorePermit(std::move(owner), detail::PermitHold(permits_, count));
}

}  // namespace kaido::inline abi0
