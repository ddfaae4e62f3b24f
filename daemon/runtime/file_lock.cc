#include "daemon/runtime/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>
#include <utility>

namespace kaido::daemon {
namespace {

/// flock(2) knows no time limit, so it is asked again so often.
constexpr base::Duration kRetry = std::chrono::milliseconds(5);

std::string read_proc(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// "pid 4711 (kaidod)", or less where the system does not tell.
std::string holder_of(int file) {
  struct stat info{};
  if (::fstat(file, &info) != 0) return "another process";
  const auto pid = find_lock_holder(read_proc("/proc/locks"), info.st_dev, info.st_ino);
  if (!pid) return "another process";
  std::string name = read_proc("/proc/" + std::to_string(*pid) + "/comm");
  name.erase(std::find(name.begin(), name.end(), '\n'), name.end());
  return "pid " + std::to_string(*pid) + (name.empty() ? "" : " (" + name + ")");
}

base::StatusOr<Descriptor> open_lock_file(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (file.valid()) return file;
  const int error = errno;
  if (error == ELOOP) return absl::FailedPreconditionError(path + " is a symbolic link, not a lock file; remove it");
  if (error == EISDIR) return absl::FailedPreconditionError(path + " is a folder, not a lock file; remove it");
  return absl::ErrnoToStatus(error, "cannot open the lock file " + path);
}

/// Whether the name still means the file that was opened: its former holder may have removed it.
bool is_still_named(const std::string& path, int file) {
  struct stat opened{};
  struct stat named{};
  return ::fstat(file, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace

std::optional<pid_t> find_lock_holder(std::string_view proc_locks, dev_t device, ino_t inode) {
  std::array<char, 64> wanted{};
  std::snprintf(wanted.data(), wanted.size(), "%02x:%02x:%llu", major(device), minor(device),
                static_cast<unsigned long long>(inode));
  std::istringstream lines{std::string(proc_locks)};
  for (std::string line; std::getline(lines, line);) {
    // "1: FLOCK  ADVISORY  WRITE 4711 fd:01:524433 0 EOF"; whoever waits has "->" before the kind.
    std::istringstream words(line);
    std::string number, kind, is_advisory, access, pid, file;
    words >> number >> kind >> is_advisory >> access >> pid >> file;
    if (kind != "FLOCK" || file != wanted.data()) continue;
    pid_t value = 0;
    std::from_chars(pid.data(), pid.data() + pid.size(), value);
    if (value > 0) return value;  // 0 or less: of another PID namespace, or of nobody in particular
  }
  return std::nullopt;
}

base::StatusOr<FileLock> FileLock::acquire(const std::string& path, base::Duration wait_max) {
  const auto give_up = std::chrono::steady_clock::now() + wait_max;
  for (;;) {
    auto file = open_lock_file(path);
    if (!file.ok()) return file.status();
    const int error = ::flock(file->get(), LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
    if (error == 0) {
      if (is_still_named(path, file->get())) return FileLock(path, *std::move(file));
      continue;  // its former holder removed it, and has got on
    }
    if (error != EWOULDBLOCK && error != EINTR) {
      return absl::ErrnoToStatus(error, "cannot lock " + path);
    }
    if (std::chrono::steady_clock::now() >= give_up) {
      return absl::AlreadyExistsError(path + " is held by " + holder_of(file->get()));
    }
    std::this_thread::sleep_for(kRetry);
  }
}

void FileLock::remove_file() { ::unlink(path_.c_str()); }

}  // namespace kaido::daemon
