/// kaidoctl: asks a node over its admin socket and prints the answer. See docs/operating/kaidoctl.md.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/kaidoctl/admin_client.h"
#include "daemon/kaidoctl/format.h"
#include "daemon/kaidoctl/function_commands.h"
#include "daemon/kaidoctl/options.h"
#include "daemon/kaidoctl/output.h"
#include "proto/base/private_folder.h"

namespace kaido::daemon {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

template <class Response>
ExitCode show(const base::StatusOr<Response>& response, const Options& options, Style style,
              std::string (*format)(const Response&, Style)) {
  if (!response.ok()) {
    return explain(response.status(), options);
  }
  return print(options.as_json ? to_json(*response) : format(*response, style));
}

PingOutcome ping_one(AdminClient& client, const std::string& node) {
  const auto response = client.ping(node);
  if (!response.ok()) {
    return {.node = node, .error = std::string(response.status().message())};
  }
  if (!std::isfinite(response->rtt_seconds())) {
    return {.node = node, .error = "the daemon measured no time"};
  }
  return {.node = response->node(), .address = response->address(), .rtt_seconds = response->rtt_seconds()};
}

/// Asks for the nodes first: that tells an unreachable daemon from an unreachable node, and knows every name.
ExitCode ping(AdminClient& client, const Options& options, Style style) {
  const auto known = client.list_nodes();
  if (!known.ok()) {
    return explain(known.status(), options);
  }
  std::vector<std::string> names;
  for (const auto& node : known->nodes()) {
    names.push_back(node.name());
  }
  std::vector<PingOutcome> outcomes;
  bool all_answered = true;
  for (const auto& name : options.node.empty() ? names : std::vector<std::string>{options.node}) {
    outcomes.push_back(ping_one(client, name));
    all_answered = all_answered && outcomes.back().error.empty();
  }
  const auto code = all_answered ? ExitCode::kOk : ExitCode::kFailed;
  const auto printed = print(options.as_json ? pings_to_json(outcomes) : format_pings(outcomes, style), code);
  if (const auto meant = options.node.empty() ? std::nullopt : nearest(options.node, names);
      !all_answered && meant && *meant != options.node) {
    std::fprintf(stderr, "kaidoctl: did you mean '%s'?\n", meant->c_str());
  }
  return printed;
}

ExitCode run(const Options& options, Style style) {
  if (const auto problem = base::fallback_folder_problem(options.socket, ::geteuid())) {
    return complain(ExitCode::kUnreachable, *problem);
  }
  const auto begin = std::chrono::steady_clock::now();
  const int descriptor = connect_unix(options.socket, options.timeout);
  if (descriptor < 0) {
    return complain(ExitCode::kUnreachable, explain_unreachable(options.socket, -descriptor));
  }
  // What connecting took is gone from the time for the first answer.
  const auto connecting =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin);
  AdminClient client(descriptor, std::max(options.timeout - connecting, std::chrono::milliseconds(1)));
  switch (options.command) {
    case Command::kStatus:
      return show(client.status(), options, style, format_status);
    case Command::kNodes:
      return show(client.list_nodes(), options, style, format_nodes);
    case Command::kFunctions:
      if (!options.function.empty()) return describe_function(client, options);
      return show(client.list_functions(), options, style, format_functions);
    case Command::kTasks:
      return show(client.list_tasks(options.limit), options, style, format_tasks);
    case Command::kPing:
      return ping(client, options, style);
    case Command::kCall:
      return call_function(client, options);
  }
  return ExitCode::kUsage;
}

int main(const std::vector<std::string>& arguments) {
  const bool has_system_socket = ::access("/run/kaido/admin.sock", F_OK) == 0;
  const auto parsed =
      parse_options(arguments, default_admin_socket(has_system_socket, environment("XDG_RUNTIME_DIR"), ::geteuid()));
  if (const auto* farewell = std::get_if<Farewell>(&parsed)) {
    if (farewell->code == ExitCode::kOk) return static_cast<int>(print(farewell->text));
    std::fputs(farewell->text.c_str(), stderr);
    return static_cast<int>(farewell->code);
  }
  const Style style{.coloured = ::isatty(STDOUT_FILENO) == 1 && environment("NO_COLOR").empty() &&
                                environment("TERM") != "dumb"};
  return static_cast<int>(run(std::get<Options>(parsed), style));
}

}  // namespace
}  // namespace kaido::daemon

int main(int argc, char** argv) {
  using namespace kaido::daemon;
  // Descriptors 0 to 2 are reserved by now: //daemon/telemetry:standard_streams.
  std::signal(SIGPIPE, SIG_IGN);  // a reader that is gone is an error like any other
  try {
    return kaido::daemon::main(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
  } catch (const std::exception& error) {
    return static_cast<int>(
        complain(ExitCode::kFailed, std::string("an error that nothing expected; please report it: ") + error.what()));
  }
}
