/// kaidoctl's command line: what may be typed, and what it means.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
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
  /// No node that is alive offers the function, or not in the version that was named.
  kNoFunction = 4,
  /// The arguments are not what the function takes.
  kBadArguments = 5,
  /// The call was made and did not succeed: the function threw, no node could run it, its node was lost.
  kCallFailed = 6,
  /// The call's time was over.
  kTimedOut = 7,
};

enum class Command { kStatus, kNodes, kFunctions, kTasks, kPing, kCall };

struct Options {
  Command command = Command::kStatus;
  bool as_json = false;
  std::string socket;
  std::chrono::milliseconds timeout{5000};
  /// kPing: the node to ping; empty for all. kCall: the node to run it on; empty for any.
  std::string node;
  /// kFunctions: which one to describe; empty for a list of all. kCall: which one to call.
  std::string function;
  /// kFunctions, kCall: of the version that is meant; empty for the one that most slots offer.
  std::string fingerprint;
  /// kFunctions: the folder to write the function's .proto files to; empty for standard output.
  std::string proto_dir;
  /// kCall: the arguments as JSON, or "-" for standard input; nothing for a function that needs none.
  std::optional<std::string> json;
  /// kCall: the file that they are in; empty for none.
  std::string file;
  /// kCall: only nodes that carry these.
  std::map<std::string, std::string> tags;
  /// kCall: how long the function may take.
  std::chrono::milliseconds call_timeout{60000};
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
