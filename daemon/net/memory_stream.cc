#include "daemon/net/memory_stream.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "proto/base/check.h"

namespace kaido::daemon {

void MemoryLink::cut() {
  const std::lock_guard lock(mutex_);
  cut_ = true;
  for (End& end : ends_) {
    end.inbox.clear();
    end.read = 0;
  }
  wake_locked(0);
  wake_locked(1);
}

void MemoryLink::set_stalled(bool stalled) {
  const std::lock_guard lock(mutex_);
  stalled_ = stalled;
  wake_locked(0);
  wake_locked(1);
}

void MemoryLink::wake_locked(std::size_t side) {
  End& end = ends_[side];
  if (end.loop == nullptr || end.wake_posted) return;
  end.wake_posted = true;
  end.loop->post([link = shared_from_this(), side] {
    const std::lock_guard lock(link->mutex_);
    End& woken = link->ends_[side];
    woken.wake_posted = false;
    if (woken.stream != nullptr) woken.stream->look_locked();
  });
}

Readiness MemoryLink::readiness_locked(std::size_t side) const {
  if (cut_) return {true, true};
  const End& own = ends_[side];
  const End& other = ends_[1 - side];
  const bool readable = !stalled_ && (own.unread() != 0 || other.finished);
  return {readable, other.unread() < kCapacityBytes};
}

MemoryStream::MemoryStream(std::shared_ptr<MemoryLink> link, std::size_t side, std::string remote)
    : link_(std::move(link)), side_(side), remote_(std::move(remote)) {}

MemoryStream::~MemoryStream() {
  {
    const std::lock_guard lock(link_->mutex_);
    MemoryLink::End& own = link_->ends_[side_];
    own.stream = nullptr;
    own.loop = nullptr;
    own.finished = true;
    link_->wake_locked(1 - side_);
  }
  if (loop_ != nullptr) loop_->unwatch(token_);
}

void MemoryStream::attach(Loop& loop, IoSource& source, Readiness interest) {
  KAIDO_CHECK(loop_ == nullptr);
  loop_ = &loop;
  token_ = loop.watch(source);
  interest_ = interest;
  const std::lock_guard lock(link_->mutex_);
  link_->ends_[side_].stream = this;
  link_->ends_[side_].loop = &loop;
  look_locked();
}

void MemoryStream::set_interest(Readiness interest) {
  if (loop_ == nullptr) return;
  interest_ = interest;
  const std::lock_guard lock(link_->mutex_);
  look_locked();
}

// Level-triggered: called whenever something changed, and after every read and write.
void MemoryStream::look_locked() {
  const Readiness ready = link_->readiness_locked(side_);
  const Readiness reported{ready.readable && interest_.readable, ready.writable && interest_.writable};
  if (loop_ != nullptr) loop_->make_ready(token_, reported);
}

IoResult MemoryStream::read(std::span<std::byte> buffer) {
  const std::lock_guard lock(link_->mutex_);
  MemoryLink::End& own = link_->ends_[side_];
  if (link_->cut_) return {IoState::kFailed, 0};
  if (link_->stalled_) return {IoState::kWouldBlock, 0};
  const std::size_t count = std::min(buffer.size(), own.unread());
  if (count == 0) return {link_->ends_[1 - side_].finished ? IoState::kEnd : IoState::kWouldBlock, 0};
  std::memcpy(buffer.data(), own.inbox.data() + own.read, count);
  const bool was_full = own.unread() >= MemoryLink::kCapacityBytes;
  own.read += count;
  if (own.unread() == 0) {
    own.inbox.clear();
    own.read = 0;
  }
  if (was_full) link_->wake_locked(1 - side_);
  look_locked();
  return {IoState::kOk, count};
}

IoResult MemoryStream::write(std::span<const std::span<const std::byte>> segments) {
  const std::lock_guard lock(link_->mutex_);
  MemoryLink::End& other = link_->ends_[1 - side_];
  // A finished other end that still has a stream reads on; one without was destroyed, or is not attached yet.
  const bool other_gone = other.finished && other.stream == nullptr;
  if (link_->cut_ || other_gone || link_->ends_[side_].finished) return {IoState::kFailed, 0};
  const std::size_t room = MemoryLink::kCapacityBytes - std::min(MemoryLink::kCapacityBytes, other.unread());
  if (room == 0 || segments.empty()) return {IoState::kWouldBlock, 0};
  if (other.read > MemoryLink::kCapacityBytes) {
    other.inbox.erase(other.inbox.begin(), other.inbox.begin() + static_cast<std::ptrdiff_t>(other.read));
    other.read = 0;
  }
  std::size_t written = 0;
  for (const std::span<const std::byte> segment : segments) {
    const std::span<const std::byte> taken = segment.first(std::min(segment.size(), room - written));
    other.inbox.insert(other.inbox.end(), taken.begin(), taken.end());
    written += taken.size();
  }
  link_->wake_locked(1 - side_);
  return {IoState::kOk, written};
}

void MemoryStream::finish_writing() {
  const std::lock_guard lock(link_->mutex_);
  link_->ends_[side_].finished = true;
  link_->wake_locked(1 - side_);
}

base::Status MemoryStream::error() const {
  return absl::UnavailableError("connection with " + remote_ + " broke: the other side is gone");
}

// The other end is this very process.
PeerIdentity MemoryStream::identity() const {
  return {.credentials = PeerCredentials{::getpid(), ::getuid(), ::getgid()}, .has_owner = true};
}

}  // namespace kaido::daemon
