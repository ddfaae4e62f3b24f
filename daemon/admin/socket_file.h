/// A listening Unix socket and the file that names it: made with its final permissions, removed when done.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "proto/base/status.h"

namespace kaido::daemon {

/// Owns the file, and the listening descriptor until it is released. The file is removed on destruction, if it is still
/// the one that was made here.
class AdminSocketFile {
 public:
  /// Binds and listens; non-blocking, closed on exec. A file left behind by a process that is gone is replaced; one
  /// that somebody listens at is not (kAlreadyExists), nor is anything that is no socket (kInvalidArgument).
  [[nodiscard]] static base::StatusOr<std::unique_ptr<AdminSocketFile>> listen(const std::string& path, mode_t mode);

  ~AdminSocketFile();
  AdminSocketFile(const AdminSocketFile&) = delete;
  AdminSocketFile& operator=(const AdminSocketFile&) = delete;

  /// The listening descriptor, whose owner is now the caller.
  [[nodiscard]] int release_descriptor();

 private:
  AdminSocketFile(std::string path, int descriptor, dev_t device, ino_t inode)
      : path_(std::move(path)), descriptor_(descriptor), device_(device), inode_(inode) {}

  const std::string path_;
  int descriptor_;
  const dev_t device_;
  const ino_t inode_;
};

}  // namespace kaido::daemon
