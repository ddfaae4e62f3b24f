/// Whether a folder is one's own, so that nobody else can have put there what is found in it; and the one folder that
/// has to be, since anybody may make it first: the sockets' folder in /tmp.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace kaido::base {

/// What is asked about a folder.
struct FolderFacts {
  bool is_link = false;
  bool is_folder = true;
  uid_t owner = 0;
  mode_t mode = 0;
};

/// Why somebody else than `uid` (or root, whom everybody trusts) may decide what is in it; nothing if nobody may. Goes
/// on after the folder's path: "belongs to uid 1001 (mallory), not to uid 1000 (alice)". Pure but for names of users.
[[nodiscard]] std::optional<std::string> why_not_private(const FolderFacts& folder, uid_t uid);

/// /tmp/kaido-<uid>: where a user's own daemon has its sockets if there is no XDG_RUNTIME_DIR.
[[nodiscard]] std::string fallback_socket_folder(uid_t uid);

/// Whether a socket at this path, if it is in the fallback folder of `uid`, may be used: nothing if so, or if it is
/// elsewhere (who names a path has chosen it), or if there is no such folder. Else whose the folder is and what to do.
[[nodiscard]] std::optional<std::string> fallback_folder_problem(const std::string& socket_path, uid_t uid);

}  // namespace kaido::base
