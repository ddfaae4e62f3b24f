#include "daemon/node/identity.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

constexpr std::string_view kIdKey = "id: ";
constexpr std::string_view kEpochKey = "\nepoch: ";

base::Status system_error(const std::string& what) { return absl::ErrnoToStatus(errno, what); }

/// Writes a file so that a crash leaves either the old or the new contents.
base::Status replace_file(const std::string& path, const std::string& contents) {
  const std::string temporary = path + ".new";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return system_error("cannot write " + temporary);
  const bool written =
      ::write(file, contents.data(), contents.size()) == static_cast<ssize_t>(contents.size()) && ::fsync(file) == 0;
  const base::Status failure = written ? absl::OkStatus() : system_error("cannot write " + temporary);
  ::close(file);
  KAIDO_RETURN_IF_ERROR(failure);
  if (std::rename(temporary.c_str(), path.c_str()) != 0) return system_error("cannot replace " + path);
  return absl::OkStatus();
}

base::NodeId random_id() {
  base::NodeId id;
  KAIDO_CHECK(::getrandom(id.bytes.data(), id.bytes.size(), 0) == static_cast<ssize_t>(id.bytes.size()));
  return id;
}

}  // namespace

std::string format_identity(const Identity& identity) {
  return std::string(kIdKey) + to_string(identity.id) + std::string(kEpochKey) + std::to_string(identity.epoch.value) +
         "\n";
}

base::StatusOr<Identity> parse_identity(std::string_view text) {
  Identity identity;
  const auto malformed = absl::DataLossError("the text is not \"id: <32 hexadecimal digits>\" and \"epoch: <number>\"");
  if (!text.starts_with(kIdKey) || text.size() < kIdKey.size() + 32) return malformed;
  const auto id = base::parse_node_id(text.substr(kIdKey.size(), 32));
  text.remove_prefix(kIdKey.size() + 32);
  if (!id || !text.starts_with(kEpochKey)) return malformed;
  text.remove_prefix(kEpochKey.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), identity.epoch.value);
  if (error != std::errc() || std::string_view(end, text.data() + text.size()) != "\n") return malformed;
  identity.id = *id;
  return identity;
}

base::StatusOr<std::unique_ptr<StateFolder>> StateFolder::open(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    return absl::PermissionDeniedError("cannot create the state folder " + path + " (" + error.message() +
                                       "): set node.state_dir to a folder that this user may write");
  }
  if (::chmod(path.c_str(), 0700) != 0)
    return system_error("cannot restrict the state folder " + path + " to its owner");
  const std::string lock_path = path + "/lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return system_error("cannot open " + lock_path);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return absl::AlreadyExistsError("another kaidod runs with the state folder " + path +
                                    ": stop it, or give this one its own node.state_dir");
  }
  return std::unique_ptr<StateFolder>(new StateFolder(path, lock));
}

StateFolder::~StateFolder() { ::close(lock_); }

base::StatusOr<Identity> StateFolder::begin_epoch() {
  const std::string path = path_ + "/identity";
  Identity identity{random_id(), base::Epoch{0}};
  if (std::filesystem::exists(path)) {
    std::ifstream file(path, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto parsed = parse_identity(text);
    if (!parsed.ok()) {
      return absl::DataLossError(path + " cannot be read (" + std::string(parsed.status().message()) +
                                 "): restore it, or remove it to give this node a new identity");
    }
    identity = *parsed;
  }
  ++identity.epoch.value;
  KAIDO_RETURN_IF_ERROR(replace_file(path, format_identity(identity)));
  return identity;
}

}  // namespace kaido::daemon
