/// The identity file as bytes on a disk: read whole or not at all, replaced so that a crash leaves the old or the new
/// one. Inside of daemon/node.
#pragma once

#include <optional>
#include <string>

#include "proto/base/status.h"

namespace kaido::daemon {

/// Larger files are not ours.
inline constexpr std::size_t kIdentityFileBytesMax = 4096;

/// What is in the file; nothing if there is none. Errors: what the file is instead, or who may not read it.
[[nodiscard]] base::StatusOr<std::optional<std::string>> read_identity_file(const std::string& path);

/// Makes what is missing of the folder and of those above it, the last one for this user alone, and has it on disk when
/// it returns: a crash must not take the folder with what was synced inside of it. Nothing that is there is touched.
/// The errno of what failed; 0.
[[nodiscard]] int make_durable_folder(const std::string& path);

/// On disk when it returns OK: the contents, and the name in the folder. The folder is this user's.
[[nodiscard]] base::Status replace_identity_file(const std::string& path, const std::string& contents);

}  // namespace kaido::daemon
