/// A listening Unix socket and the file that names it: made with its final permissions, removed when done.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "daemon/runtime/descriptor.h"
#include "proto/base/status.h"

namespace kaido::daemon {

/// Makes the folder that a socket will be in, and those above it, where they are missing. The fallback folder in /tmp
/// is made for its owner alone, and refused if it is somebody else's.
[[nodiscard]] base::Status make_socket_folder(const std::string& socket_path);

/// What would keep a socket from being made there whoever else runs; changes nothing. For checking a configuration.
[[nodiscard]] base::Status check_socket_path(const std::string& path);

/// Owns the file, and the listening descriptor until it is released. The file is removed on destruction, if it is still
/// the one that was made here.
///
/// Threading: listen() may wait a moment for another process that sets up the same socket.
class SocketFile {
 public:
  /// Binds and listens; non-blocking, closed on exec. A file left behind by a process that is gone is replaced; one
  /// that somebody listens at is not (kAlreadyExists), nor is anything that is no socket (kInvalidArgument). Of several
  /// processes that find one stale file, one gets it.
  [[nodiscard]] static base::StatusOr<std::unique_ptr<SocketFile>> listen(const std::string& path, mode_t mode,
                                                                          int backlog);

  ~SocketFile();
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;

  /// The listening descriptor, whose owner is now the caller.
  [[nodiscard]] Descriptor release_descriptor() { return std::move(descriptor_); }

 private:
  SocketFile(std::string path, Descriptor descriptor, dev_t device, ino_t inode)
      : path_(std::move(path)), descriptor_(std::move(descriptor)), device_(device), inode_(inode) {}

  const std::string path_;
  Descriptor descriptor_;
  const dev_t device_;
  const ino_t inode_;
};

}  // namespace kaido::daemon
