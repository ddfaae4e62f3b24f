#include "proto/base/private_folder.h"

#include <pwd.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>

namespace kaido::base {
namespace {

std::string user_text(uid_t uid) {
  std::array<char, 4096> buffer;
  passwd entry{};
  passwd* found = nullptr;
  std::string text = "uid " + std::to_string(uid);
  if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
    text += " (" + std::string(found->pw_name) + ")";
  }
  return text;
}

std::string mode_text(mode_t mode) {
  std::array<char, 8> text;
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode & 07777));
  return text.data();
}

}  // namespace

std::optional<std::string> why_not_private(const FolderFacts& folder, uid_t uid) {
  if (folder.is_link) return "is a symbolic link of " + user_text(folder.owner) + ", not a folder";
  if (!folder.is_folder) return "is no folder";
  if (folder.owner != uid && folder.owner != 0) {
    return "belongs to " + user_text(folder.owner) + ", not to " + user_text(uid);
  }
  constexpr mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;
  if ((folder.mode & kOthersMayWrite) != 0) return "can be written by others (mode " + mode_text(folder.mode) + ")";
  return std::nullopt;
}

std::string fallback_socket_folder(uid_t uid) { return "/tmp/kaido-" + std::to_string(uid); }

std::optional<std::string> fallback_folder_problem(const std::string& socket_path, uid_t uid) {
  const std::string folder = fallback_socket_folder(uid);
  if (!socket_path.starts_with(folder + "/")) return std::nullopt;
  struct stat found{};
  if (::lstat(folder.c_str(), &found) != 0) return std::nullopt;  // whoever uses it will see what is wrong
  const auto why = why_not_private(
      {S_ISLNK(found.st_mode), S_ISDIR(found.st_mode), found.st_uid, found.st_mode & mode_t{07777}}, uid);
  if (!why) return std::nullopt;
  return folder + " " + *why +
         ", so that the socket in it may be anybody's: remove it (as root, if it is not yours), or use another place: "
         "set XDG_RUNTIME_DIR, or the daemon's listen.app_socket and listen.admin_socket with KAIDO_SOCKET and "
         "KAIDO_ADMIN_SOCKET";
}

}  // namespace kaido::base
