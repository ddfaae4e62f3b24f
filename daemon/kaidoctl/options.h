/// kaidoctl's command line: what may be typed, and what it means.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace kaido::daemon {

/// What kaidoctl ends with. Scripts rely on these: they are in --help and docs/operating/kaidoctl.md.
enum class ExitCode : int {
  kOk = 0,
  /// The daemon was asked and said no, or some ping had no answer.
  kFailed = 1,
  kUsage = 2,
  /// No daemon could be asked.
  kUnreachable = 3,
};

enum class Command { kStatus, kNodes, kFunctions, kTasks, kPing };

struct Options {
  Command command = Command::kStatus;
  bool as_json = false;
  std::string socket;
  std::chrono::milliseconds timeout{5000};
  /// kPing: the node to ping; empty for all.
  std::string node;
  /// kTasks: how many at most; 0 for the daemon's own bound.
  std::uint32_t limit = 0;
};

/// Nothing is to be asked: print `text` (help or version to standard output, a mistake to standard error) and end.
struct Farewell {
  ExitCode code = ExitCode::kOk;
  std::string text;
};

/// Reads a command line, without the program's name. `default_socket` is used where neither --socket nor
/// KAIDO_ADMIN_SOCKET says another.
[[nodiscard]] std::variant<Options, Farewell> parse_options(const std::vector<std::string>& arguments,
                                                            const std::string& default_socket);

/// /run/kaido/admin.sock if that exists, else the user's own: $XDG_RUNTIME_DIR/kaido/admin.sock, or
/// /tmp/kaido-<uid>/admin.sock where that variable is not set.
[[nodiscard]] std::string default_admin_socket(bool system_socket_exists, std::string_view xdg_runtime_dir, uid_t uid);

/// The one of `candidates` that `word` is at most two typing mistakes away from, if any; the nearest.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace kaido::daemon
