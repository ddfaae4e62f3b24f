/// The lines that libraries would print to standard error go through our log: with its levels, its shape and its
/// bounds.
///
/// Covers libprotobuf (a message that cannot be parsed, text that is not UTF-8) and gRPC. Abseil of Debian 12 has no
/// such hook, and prints only before it aborts.
#pragma once

#include "daemon/telemetry/log.h"

namespace kaido::daemon {

/// Threading: construct and destroy it while no other thread uses these libraries. The hooks are called on any thread.
/// Lifetime: one at a time (CHECKed). What the libraries did before is restored.
class LibraryLogs {
 public:
  explicit LibraryLogs(const Logger& log);
  ~LibraryLogs();
  LibraryLogs(const LibraryLogs&) = delete;
  LibraryLogs& operator=(const LibraryLogs&) = delete;
};

}  // namespace kaido::daemon
