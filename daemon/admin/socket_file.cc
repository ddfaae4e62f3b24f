#include "daemon/admin/socket_file.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kaido::daemon {
namespace {

/// Connections that wait to be accepted; an operator's tool tries again.
constexpr int kBacklog = 16;

base::Status failure(const std::string& path, int error) {
  const auto text = "cannot listen at " + path + ": " + std::strerror(error);
  switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text);
    case ENOENT:
    case ENOTDIR:
      return absl::NotFoundError(text + "; the folder has to exist");
    case EADDRINUSE:
      return absl::AlreadyExistsError(text + "; another process listens there");
    default:
      return absl::UnavailableError(text);
  }
}

base::StatusOr<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return absl::InvalidArgumentError("cannot listen at '" + path + "': the path of a socket has between 1 and " +
                                      std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  path.copy(address.sun_path, path.size());
  return address;
}

/// Closes on the way out, unless released.
class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  ~Descriptor() {
    if (value_ >= 0) {
      ::close(value_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] int release() { return std::exchange(value_, -1); }

 private:
  int value_;
};

/// Removes what a former process left; OK if nothing is there.
base::Status remove_stale(const std::string& path, const sockaddr_un& address) {
  struct stat info{};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : failure(path, errno);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::InvalidArgumentError("cannot listen at " + path + ": a file that is no socket is there; remove it");
  }
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (probe.get() < 0) {
    return failure(path, errno);
  }
  // EAGAIN: its queue is full, so there is a listener.
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EAGAIN) {
    return failure(path, EADDRINUSE);
  }
  if (errno != ECONNREFUSED && errno != ENOENT) {
    return failure(path, errno);
  }
  return ::unlink(path.c_str()) == 0 || errno == ENOENT ? absl::OkStatus() : failure(path, errno);
}

}  // namespace

base::StatusOr<std::unique_ptr<AdminSocketFile>> AdminSocketFile::listen(const std::string& path, mode_t mode) {
  const auto address = address_of(path);
  if (!address.ok()) {
    return address.status();
  }
  KAIDO_RETURN_IF_ERROR(remove_stale(path, *address));
  Descriptor descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The file takes its mode from the descriptor (less the umask), so that it is never open to more than it should be;
  // the chmod gives back what the umask took.
  if (descriptor.get() < 0 || ::fchmod(descriptor.get(), mode) != 0 ||
      ::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return failure(path, errno);
  }
  struct stat info{};
  if (::chmod(path.c_str(), mode) != 0 || ::listen(descriptor.get(), kBacklog) != 0 ||
      ::stat(path.c_str(), &info) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return failure(path, error);
  }
  return std::unique_ptr<AdminSocketFile>(new AdminSocketFile(path, descriptor.release(), info.st_dev, info.st_ino));
}

AdminSocketFile::~AdminSocketFile() {
  struct stat info{};
  if (::lstat(path_.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

int AdminSocketFile::release_descriptor() { return std::exchange(descriptor_, -1); }

}  // namespace kaido::daemon
