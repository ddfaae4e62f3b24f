#include "daemon/net/socket_file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>

#include "daemon/net/socket_address.h"
#include "daemon/runtime/file_lock.h"
#include "proto/base/private_folder.h"
#include "proto/base/time.h"

namespace kaido::daemon {
namespace {

/// Looking whether a socket is stale and putting another in its place takes microseconds; this is for a busy machine.
constexpr base::Duration kSetUpTimeMax = std::chrono::seconds(5);

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

base::Status failure(const std::string& path, int error) {
  const std::string text = "cannot listen at " + path + ": " + std::strerror(error);
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text + "; choose a folder that this user may write");
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(text + "; its folder has to exist");
    case EADDRINUSE:
      return absl::AlreadyExistsError(text);
    default:
      return absl::UnavailableError(text);
  }
}

base::Status somebody_listens(const std::string& path) {
  return absl::AlreadyExistsError("cannot listen at " + path +
                                  ": another process listens there; stop it or choose another path");
}

/// OK if a socket or nothing is there; says which in `exists`.
base::Status look_at(const std::string& path, bool& exists) {
  struct stat found{};
  exists = ::lstat(path.c_str(), &found) == 0;
  if (!exists) return errno == ENOENT ? absl::OkStatus() : failure(path, errno);
  if (S_ISSOCK(found.st_mode)) return absl::OkStatus();
  return absl::InvalidArgumentError("cannot listen at " + path + ": a " +
                                    (S_ISDIR(found.st_mode) ? "folder" : "file that is no socket") +
                                    " is there; remove it or choose another path");
}

/// Removes what a former process left; OK if nothing is there.
base::Status remove_stale(const std::string& path, const SocketAddress& address) {
  bool exists = false;
  KAIDO_RETURN_IF_ERROR(look_at(path, exists));
  if (!exists) return absl::OkStatus();
  const Descriptor probe = make_socket(AF_UNIX);
  if (!probe.valid()) return failure(path, errno);
  // EAGAIN: its queue is full, so there is a listener.
  if (::connect(probe.get(), address.get(), address.size) == 0 || errno == EAGAIN) return somebody_listens(path);
  if (errno != ECONNREFUSED && errno != ENOENT) return failure(path, errno);
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? absl::OkStatus() : failure(path, errno);
}

base::StatusOr<SocketAddress> address_of(const std::string& path) {
  const std::optional<SocketAddress> address = unix_address(path);
  if (address) return *address;
  return absl::InvalidArgumentError("cannot listen at '" + path +
                                    "': the path of a socket has between 1 and 107 bytes; choose a shorter one");
}

}  // namespace

base::Status make_socket_folder(const std::string& socket_path) {
  const std::string folder = folder_of(socket_path);
  std::error_code error;
  if (folder == base::fallback_socket_folder(::geteuid())) {
    // By mkdir, which follows no link: who comes first owns it, and it is looked at afterwards.
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) error = {errno, std::generic_category()};
  } else {
    std::filesystem::create_directories(folder, error);
  }
  if (error) {
    return absl::PermissionDeniedError("cannot create the folder " + folder + " (" + error.message() +
                                       "): set listen.app_socket and listen.admin_socket to where this user may write");
  }
  if (const auto problem = base::fallback_folder_problem(socket_path, ::geteuid())) {
    return absl::PermissionDeniedError(*problem);
  }
  return absl::OkStatus();
}

base::Status check_socket_path(const std::string& path) {
  const auto address = address_of(path);
  if (!address.ok()) return address.status();
  if (const auto problem = base::fallback_folder_problem(path, ::geteuid())) {
    return absl::PermissionDeniedError(*problem);
  }
  // The nearest folder that there is: what is missing below it would be made.
  std::filesystem::path folder = std::filesystem::absolute(folder_of(path));
  bool is_own_folder = true;
  for (; ::access(folder.c_str(), F_OK) != 0 && errno == ENOENT && folder.has_relative_path();
       folder = folder.parent_path()) {
    is_own_folder = false;
  }
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) return failure(path, ENOTDIR);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) return failure(path, errno);
  bool exists = false;
  return is_own_folder ? look_at(path, exists) : absl::OkStatus();
}

base::StatusOr<std::unique_ptr<SocketFile>> SocketFile::listen(const std::string& path, mode_t mode, int backlog) {
  const auto address = address_of(path);
  if (!address.ok()) return address.status();
  // Of two processes that find one stale socket, one must not remove the other's new one. A file of this socket's own,
  // since anybody may lock a folder that they can read.
  auto lock = FileLock::acquire(path + ".lock", kSetUpTimeMax);
  if (absl::IsNotFound(lock.status())) return failure(path, ENOENT);
  if (absl::IsPermissionDenied(lock.status())) return failure(path, EACCES);
  if (!lock.ok()) {
    return base::Status(lock.status().code(), "cannot listen at " + path + ": " + std::string(lock.status().message()));
  }
  auto file = [&]() -> base::StatusOr<std::unique_ptr<SocketFile>> {
    KAIDO_RETURN_IF_ERROR(remove_stale(path, *address));
    Descriptor socket = make_socket(AF_UNIX);
    // The file takes its mode from the descriptor (less the umask), so that it is never open to more than it should be;
    // the chmod gives back what the umask took.
    if (!socket.valid() || ::fchmod(socket.get(), mode) != 0 ||
        ::bind(socket.get(), address->get(), address->size) != 0) {
      return failure(path, errno);
    }
    struct stat info{};
    if (::chmod(path.c_str(), mode) != 0 || ::listen(socket.get(), backlog) != 0 || ::stat(path.c_str(), &info) != 0) {
      const int error = errno;
      ::unlink(path.c_str());
      return failure(path, error);
    }
    return std::unique_ptr<SocketFile>(new SocketFile(path, std::move(socket), info.st_dev, info.st_ino));
  }();
  lock->remove_file();
  return file;
}

SocketFile::~SocketFile() {
  struct stat info{};
  if (::lstat(path_.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace kaido::daemon
