/// A lock between processes, by a file: whoever holds it is alone with what the file stands for.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "daemon/runtime/descriptor.h"
#include "proto/base/status.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// Held until it is destroyed, or the process ends in whatever way. The file is this user's alone (0600), so that no
/// other user can hold it up.
///
/// Threading: blocks the thread while it waits: for starting up, not for a loop that serves.
class FileLock {
 public:
  /// Creates the file where it is missing, and waits for whoever holds it at most for `wait_max`. Errors:
  /// kAlreadyExists naming the holder where the system knows it; else as the system says.
  [[nodiscard]] static base::StatusOr<FileLock> acquire(const std::string& path, base::Duration wait_max);

  /// Removes the file, which this lock then no longer needs; somebody who waits for it makes a new one.
  void remove_file();

 private:
  FileLock(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}

  std::string path_;
  Descriptor file_;
};

/// Who holds a lock of flock(2) on a file, by what /proc/locks says. Pure.
[[nodiscard]] std::optional<pid_t> find_lock_holder(std::string_view proc_locks, dev_t device, ino_t inode);

}  // namespace kaido::daemon
