/// Who this node is, from one start to the next: its id and its epoch, in the state folder.
#pragma once

#include <memory>
#include <string>

#include "proto/base/ids.h"
#include "proto/base/status.h"

namespace kaido::daemon {

/// A node's id, made at its first start, and its epoch, which grows at every start.
struct Identity {
  base::NodeId id;
  base::Epoch epoch;
};

/// What the identity file says, and the text that says it. Pure: the file's format in one place.
[[nodiscard]] std::string format_identity(const Identity& identity);
[[nodiscard]] base::StatusOr<Identity> parse_identity(std::string_view text);

/// The state folder, held by one daemon at a time.
///
/// Lifetime: the folder is free for another daemon when this is destroyed, or the process ends in whatever way.
class StateFolder {
 public:
  /// Creates the folder (mode 0700) where it is missing and locks it. Errors: kAlreadyExists if another daemon holds
  /// it; as the system says otherwise, with what to do.
  [[nodiscard]] static base::StatusOr<std::unique_ptr<StateFolder>> open(const std::string& path);
  ~StateFolder();
  StateFolder(const StateFolder&) = delete;
  StateFolder& operator=(const StateFolder&) = delete;

  /// Reads the identity, or makes one from the system's randomness, raises the epoch, and has it on disk before it
  /// returns: an epoch is never used twice. Errors: kDataLoss for a file that cannot be read as one.
  [[nodiscard]] base::StatusOr<Identity> begin_epoch();

 private:
  StateFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  const std::string path_;
  const int lock_;
};

}  // namespace kaido::daemon
