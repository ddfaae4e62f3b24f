/// A pair of streams in memory: what one end writes, the other reads in a later turn of its own loop.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "daemon/runtime/byte_stream.h"
#include "daemon/runtime/loop.h"
#include "proto/base/status.h"

namespace kaido::daemon {

class MemoryStream;

/// What two ends share. They may belong to loops of different threads.
///
/// Threading: thread-safe.
class MemoryLink final : public std::enable_shared_from_this<MemoryLink> {
 public:
  /// As much as a socket holds: a writer feels backpressure as it would there.
  static constexpr std::size_t kCapacityBytes = 256U << 10;

  /// Both ends fail from now on, and what was not read is lost: the process at one end died.
  void cut();

  /// While stalled, what is written stays unread.
  void set_stalled(bool stalled);

 private:
  friend class MemoryStream;

  struct End {
    MemoryStream* stream = nullptr;  // while it lives and is attached; touched by its loop's thread under the mutex
    Loop* loop = nullptr;
    bool wake_posted = false;
    bool finished = false;         // writes nothing more
    std::vector<std::byte> inbox;  // written by the other end, not yet read
    std::size_t read = 0;          // how much of the inbox is read
    [[nodiscard]] std::size_t unread() const { return inbox.size() - read; }
  };

  void wake_locked(std::size_t side);  // has that end look at its readiness, in a turn of its loop
  [[nodiscard]] Readiness readiness_locked(std::size_t side) const;

  std::mutex mutex_;  // posting to a loop is the only call-out under it
  End ends_[2];
  bool cut_ = false;
  bool stalled_ = false;
};

/// One end of a link.
///
/// Threading: confined to its loop's thread, as every ByteStream.
class MemoryStream final : public ByteStream {
 public:
  MemoryStream(std::shared_ptr<MemoryLink> link, std::size_t side, std::string remote);
  ~MemoryStream() override;

  void attach(Loop& loop, IoSource& source, Readiness interest) override;
  void set_interest(Readiness interest) override;
  [[nodiscard]] IoResult read(std::span<std::byte> buffer) override;
  [[nodiscard]] IoResult write(std::span<const std::span<const std::byte>> segments) override;
  void finish_writing() override;
  [[nodiscard]] base::Status error() const override;
  [[nodiscard]] PeerIdentity identity() const override;
  [[nodiscard]] std::string remote() const override { return remote_; }

 private:
  friend class MemoryLink;
  void look_locked();

  const std::shared_ptr<MemoryLink> link_;
  const std::size_t side_;
  const std::string remote_;
  Loop* loop_ = nullptr;
  WatchToken token_;
  Readiness interest_;
};

}  // namespace kaido::daemon
