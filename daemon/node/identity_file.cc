#include "daemon/node/identity_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string_view>

#include "daemon/runtime/descriptor.h"

namespace kaido::daemon {
namespace {

constexpr std::string_view kNewIdentity = ", or remove it to give this node a new identity";

base::Status cannot_read(const std::string& path, int error) {
  if (error == ELOOP) {
    return absl::FailedPreconditionError(path +
                                         " is a symbolic link, and this file gets replaced: put the file itself there" +
                                         std::string(kNewIdentity));
  }
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(path + " cannot be read by uid " + std::to_string(::geteuid()) +
                                       ", as which this daemon runs: give it to that user (chown, chmod 600)" +
                                       std::string(kNewIdentity));
  }
  return absl::ErrnoToStatus(error, "cannot read " + path);
}

base::Status cannot_write(const std::string& path, int error) {
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError("no space is left to write " + path +
                                        ", which has to be on disk before the node starts: free some there, or set "
                                        "node.state_dir to another file system");
  }
  if (error == EROFS) {
    return absl::PermissionDeniedError("cannot write " + path +
                                       ": its file system is read-only; set node.state_dir to another");
  }
  return absl::ErrnoToStatus(error, "cannot write " + path);
}

base::Status write_all(int file, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t size = ::write(file, bytes.data(), bytes.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return cannot_write(path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return ::fsync(file) == 0 ? absl::OkStatus() : cannot_write(path, errno);
}

base::Status write_new_file(const std::string& path, const std::string& contents) {
  ::unlink(path.c_str());  // of a start that did not get further
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.valid()) return cannot_write(path, errno);
  return write_all(file.get(), contents, path);
}

/// A renamed file survives a crash only if its folder does.
base::Status sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid() || ::fsync(folder.get()) != 0)
    return absl::ErrnoToStatus(errno, "cannot sync the folder " + path);
  return absl::OkStatus();
}

/// Has the name of `folder` on disk. A parent that this user may not read can only be synced with all of its disk.
int sync_name_of(const std::string& folder) {
  const std::string above = std::filesystem::absolute(folder).parent_path().string();
  const Descriptor parent(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.valid()) return ::fsync(parent.get()) == 0 ? 0 : errno;
  if (errno != EACCES) return errno;
  const Descriptor itself(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return itself.valid() && ::syncfs(itself.get()) == 0 ? 0 : errno;
}

int make_folder(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) != 0) return errno == EEXIST ? 0 : errno;
  return sync_name_of(path);
}

}  // namespace

int make_durable_folder(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) == 0) return 0;
  const std::filesystem::path whole(path);
  std::filesystem::path above;
  for (const auto& part : whole.parent_path()) {
    above /= part;
    if (const int error = make_folder(above.string(), 0777); error != 0) return error;
  }
  if (::mkdir(path.c_str(), 0700) != 0) return errno == EEXIST ? 0 : errno;
  // The umask may have taken bits from its owner.
  if (::chmod(path.c_str(), 0700) != 0) return errno;
  return sync_name_of(path);
}

base::StatusOr<std::optional<std::string>> read_identity_file(const std::string& path) {
  // Without O_NONBLOCK a pipe of that name would be waited for.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.valid() && errno == ENOENT) return std::nullopt;
  if (!file.valid()) return cannot_read(path, errno);
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return cannot_read(path, errno);
  if (!S_ISREG(info.st_mode)) {
    return absl::FailedPreconditionError(path + " is " + (S_ISDIR(info.st_mode) ? "a folder" : "no regular file") +
                                         ": put the file itself there" + std::string(kNewIdentity));
  }
  std::string text;
  std::array<char, 512> buffer;
  while (text.size() <= kIdentityFileBytesMax) {
    const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return cannot_read(path, errno);
    if (size == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  return absl::DataLossError(path + " is far larger than an identity: restore it" + std::string(kNewIdentity));
}

base::Status replace_identity_file(const std::string& path, const std::string& contents) {
  const std::string temporary = path + ".new";
  if (auto status = write_new_file(temporary, contents); !status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return cannot_write(path, errno);
  return sync_folder(std::filesystem::path(path).parent_path().string());
}

}  // namespace kaido::daemon
