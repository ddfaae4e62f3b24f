#include "daemon/node/identity.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>

#include "daemon/node/identity_file.h"
#include "proto/base/check.h"
#include "proto/base/private_folder.h"

namespace kaido::daemon {
namespace {

constexpr std::string_view kIdKey = "id: ";
constexpr std::string_view kEpochKey = "\nepoch: ";
/// The shortest text that can be one.
constexpr std::size_t kIdentityBytesMin = kIdKey.size() + 32 + kEpochKey.size() + 2;

/// "/x/state/" is /x/state, below /x.
std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::string identity_path(const std::string& folder) { return folder + "/identity"; }

base::NodeId random_id() {
  base::NodeId id;
  KAIDO_CHECK(::getrandom(id.bytes.data(), id.bytes.size(), 0) == static_cast<ssize_t>(id.bytes.size()));
  return id;
}

base::Status cannot_create(const std::string& path, int error) {
  return absl::PermissionDeniedError("cannot create the state folder " + path + " (" + std::strerror(error) +
                                     "): set node.state_dir to a folder that this user may write");
}

/// A folder that exists. A symbolic link to it is its owner's choice.
base::Status check_folder(const std::string& path, const struct stat& found) {
  const auto why = base::why_not_private(
      {.is_folder = S_ISDIR(found.st_mode) != 0, .owner = found.st_uid, .mode = found.st_mode & mode_t{07777}},
      ::geteuid());
  const std::string remedy = "set node.state_dir to another folder; one that is missing is made";
  if (why && S_ISDIR(found.st_mode)) {
    return absl::FailedPreconditionError("the state folder " + path + " " + *why +
                                         ", so that others could change who this node is: give it to this user alone "
                                         "(chown, chmod 700) if it is meant for that, or " +
                                         remedy);
  }
  if (why) return absl::FailedPreconditionError("the state folder " + path + " " + *why + ": " + remedy);
  if (::access(path.c_str(), R_OK | W_OK | X_OK) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError("the state folder " + path + " cannot be used (" + std::strerror(errno) +
                                     "): " + remedy);
}

/// What a start would find; nothing if this node has no identity yet.
base::StatusOr<std::optional<Identity>> read_identity(const std::string& path) {
  const auto text = read_identity_file(path);
  if (!text.ok()) return text.status();
  if (!text->has_value()) return std::nullopt;
  const auto parsed = parse_identity(**text);
  if (!parsed.ok()) {
    return absl::DataLossError(path + " cannot be used (" + std::string(parsed.status().message()) +
                               "): restore it, or remove it to give this node a new identity");
  }
  return *parsed;
}

/// The nearest folder above a missing one in which it would have to be made.
base::Status check_makeable(const std::string& path) {
  for (std::filesystem::path folder = std::filesystem::absolute(path).parent_path();; folder = folder.parent_path()) {
    if (::access(folder.c_str(), W_OK | X_OK) == 0) {
      std::error_code error;
      return std::filesystem::is_directory(folder, error) ? absl::OkStatus() : cannot_create(path, ENOTDIR);
    }
    if (errno != ENOENT || !folder.has_relative_path()) return cannot_create(path, errno);
  }
}

}  // namespace

std::string format_identity(const Identity& identity) {
  return std::string(kIdKey) + to_string(identity.id) + std::string(kEpochKey) + std::to_string(identity.epoch.value) +
         "\n";
}

base::StatusOr<Identity> parse_identity(std::string_view text) {
  Identity identity;
  if (text.empty()) return absl::DataLossError("the file is empty");
  if (text.size() < kIdentityBytesMin) {
    return absl::DataLossError("the file is truncated: it has " + std::to_string(text.size()) +
                               " bytes, and at least " + std::to_string(kIdentityBytesMin) + " are needed");
  }
  const auto malformed = absl::DataLossError("the text is not \"id: <32 hexadecimal digits>\" and \"epoch: <number>\"");
  if (!text.starts_with(kIdKey)) return malformed;
  const auto id = base::parse_node_id(text.substr(kIdKey.size(), 32));
  text.remove_prefix(kIdKey.size() + 32);
  if (!id || !text.starts_with(kEpochKey)) return malformed;
  text.remove_prefix(kEpochKey.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), identity.epoch.value);
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error == std::errc() && rest.empty())
    return absl::DataLossError("the file is truncated: its last line has no end");
  if (error != std::errc() || rest != "\n") return malformed;
  if (identity.epoch.value == std::numeric_limits<std::uint64_t>::max()) {
    return absl::DataLossError("no epoch is left after this one");
  }
  identity.id = *id;
  return identity;
}

base::Status StateFolder::check(const std::string& path) {
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) {
    return errno == ENOENT ? check_makeable(path) : cannot_create(path, errno);
  }
  KAIDO_RETURN_IF_ERROR(check_folder(path, found));
  return read_identity(identity_path(path)).status();
}

base::StatusOr<std::unique_ptr<StateFolder>> StateFolder::open(const std::string& name, base::Duration wait_max) {
  const std::string path = without_slashes(name);
  if (const int error = make_durable_folder(path); error != 0) return cannot_create(path, error);
  KAIDO_RETURN_IF_ERROR(check(path));
  auto lock = FileLock::acquire(path + "/lock", wait_max);
  if (absl::IsAlreadyExists(lock.status())) {
    return absl::AlreadyExistsError("the state folder " + path + " is in use: " + std::string(lock.status().message()) +
                                    "; stop that process, or give this daemon its own node.state_dir");
  }
  if (!lock.ok()) return lock.status();
  return std::unique_ptr<StateFolder>(new StateFolder(path, *std::move(lock)));
}

base::StatusOr<Identity> StateFolder::begin_epoch() {
  const auto former = read_identity(identity_path(path_));
  if (!former.ok()) return former.status();
  Identity identity = former->value_or(Identity{random_id(), base::Epoch{0}});
  ++identity.epoch.value;
  KAIDO_RETURN_IF_ERROR(replace_identity_file(identity_path(path_), format_identity(identity)));
  return identity;
}

}  // namespace kaido::daemon
