/// A two-way stream of bytes that never blocks: a socket, a TLS session over one, or a pipe in memory.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "daemon/runtime/loop.h"
#include "proto/base/status.h"

namespace kaido::daemon {

/// Who the kernel says is at the other end of a Unix socket.
struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  auto operator<=>(const PeerCredentials&) const = default;
};

/// Who is at the other end, as far as the stream can vouch for it. Empty fields: it cannot.
struct PeerIdentity {
  std::optional<PeerCredentials> credentials;   // by the kernel: Unix sockets, memory
  bool has_owner = false;                       // a process of this host: a Unix socket, memory; the kernel knows whose
  std::optional<std::string> certificate_name;  // by a verified certificate: mutual TLS
  bool encrypted = false;
};

enum class IoState {
  kOk,          // some bytes were moved
  kWouldBlock,  // none now; readiness will be reported
  kEnd,         // the other side has finished sending
  kFailed,      // error() says why
};

struct IoResult {
  IoState state = IoState::kWouldBlock;
  std::size_t bytes = 0;
};

/// Called once per read and once per flush, never per frame: that is the seam where TLS goes in, at no cost without it.
///
/// Threading: confined to the loop's thread.
/// Lifetime: owns its descriptor; destruction unwatches and closes it, and nothing is reported afterwards.
class ByteStream {
 public:
  static constexpr std::size_t kSegmentsMax = 64;

  virtual ~ByteStream() = default;

  /// Reports readiness to `source` from now on, level-triggered: as long as there is more to read or room to write. The
  /// source outlives the stream.
  virtual void attach(Loop& loop, IoSource& source, Readiness interest) = 0;
  virtual void set_interest(Readiness interest) = 0;

  /// At most buffer.size() bytes, which is at least one. May return fewer although there are more.
  [[nodiscard]] virtual IoResult read(std::span<std::byte> buffer) = 0;

  /// As much of `segments`, one after the other, as there is room for: one system call. At most kSegmentsMax of them,
  /// none of which is empty.
  [[nodiscard]] virtual IoResult write(std::span<const std::span<const std::byte>> segments) = 0;

  /// No more writes: the other side reads to the end of what was written, then sees kEnd.
  virtual void finish_writing() = 0;

  /// Why an operation failed.
  [[nodiscard]] virtual base::Status error() const = 0;

  [[nodiscard]] virtual PeerIdentity identity() const = 0;

  /// The other end's address for logs: "tcp:127.0.0.1:40312", "unix:pid 4711".
  [[nodiscard]] virtual std::string remote() const = 0;
};

}  // namespace kaido::daemon
