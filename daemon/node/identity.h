/// Who this node is, from one start to the next: its id and its epoch, in the state folder.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "daemon/runtime/file_lock.h"
#include "proto/base/ids.h"
#include "proto/base/status.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// A node's id, made at its first start, and its epoch, which grows at every start.
struct Identity {
  base::NodeId id;
  base::Epoch epoch;
};

/// What the identity file says, and the text that says it. Pure: the file's format in one place.
[[nodiscard]] std::string format_identity(const Identity& identity);
[[nodiscard]] base::StatusOr<Identity> parse_identity(std::string_view text);

/// How long a start waits for a daemon that is just ending to let go of the folder.
inline constexpr base::Duration kStateFolderWaitMax = std::chrono::seconds(2);

/// The state folder, held by one daemon at a time.
///
/// Lifetime: the folder is free for another daemon when this is destroyed, or the process ends in whatever way.
class StateFolder {
 public:
  /// Whether a daemon of this user could start with this folder, whoever else runs now: it is missing and may be made,
  /// or it is this user's alone and what is in it makes sense. Changes nothing.
  [[nodiscard]] static base::Status check(const std::string& path);

  /// Creates the folder (mode 0700) where it is missing, and locks it. One that was there is left as it is, and refused
  /// where others could change what is in it. Errors: kAlreadyExists if another process holds it for longer than
  /// `wait_max`; as the system says otherwise, with what to do.
  [[nodiscard]] static base::StatusOr<std::unique_ptr<StateFolder>> open(const std::string& path,
                                                                         base::Duration wait_max = kStateFolderWaitMax);

  /// Reads the identity, or makes one from the system's randomness, raises the epoch, and has it on disk (the file and
  /// its name) before it returns: an epoch is never used twice. Errors: kDataLoss for a file that cannot be read as
  /// one, kResourceExhausted where the disk is full; the former file stays.
  [[nodiscard]] base::StatusOr<Identity> begin_epoch();

 private:
  StateFolder(std::string path, FileLock lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  const std::string path_;
  const FileLock lock_;
};

}  // namespace kaido::daemon
