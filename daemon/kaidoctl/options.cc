#include "daemon/kaidoctl/options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <numeric>
#include <utility>

#include <CLI/CLI.hpp>

#include "proto/base/private_folder.h"
#include "proto/base/version.h"

namespace kaido::daemon {
namespace {

constexpr double kTimeoutSecondsMin = 0.001;
constexpr double kTimeoutSecondsMax = 3600;

constexpr const char* kFooter = R"(
Examples:
  kaidoctl status                          how is the node on this host?
  kaidoctl nodes                           who else is there, and is it alive?
  kaidoctl tasks --limit 20                the twenty oldest tasks
  kaidoctl ping                            a round trip to every node
  kaidoctl functions count_words           what does it take? (as a .proto)
  kaidoctl call count_words '{"text": "a b c"}'
  kaidoctl nodes -o json | jq -r '.nodes[] | select(.state=="lost") | .name'

Exit codes: 0 ok, 1 failed (the daemon said no), 2 usage, 3 unreachable (no daemon answers); of a call also 4 no such
function, 5 bad arguments, 6 the call failed, 7 it timed out.
Colours: only on a terminal, and not if NO_COLOR is set.)";

std::string version() { return std::string("kaidoctl ") + base::kVersion; }

struct CommandText {
  Command command;
  const char* name;
  const char* about;
};
constexpr std::array kCommands = {
    CommandText{Command::kStatus, "status", "How this node is: state, load, memory, counters"},
    CommandText{Command::kNodes, "nodes", "Every node that this one knows"},
    CommandText{Command::kFunctions, "functions", "Every function and who offers it, or one as a .proto"},
    CommandText{Command::kCall, "call", "Runs a function somewhere in the cluster; JSON in, JSON out"},
    CommandText{Command::kTasks, "tasks", "Tasks that this node spawned or runs, oldest first"},
    CommandText{Command::kPing, "ping", "Round trip time to a node, or to every node"},
};

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

/// "zone=north"; the value may be empty. CLI11's check: empty if it is fine.
std::string check_tag(const std::string& text) {
  const auto at = text.find('=');
  return at == std::string::npos || at == 0 ? "a tag is KEY=VALUE, not " + text : std::string();
}

/// CLI11's checks see the text before it is converted; they give what is wrong with it.
std::string check_limit(const std::string& text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value > 0) return {};
  return "how many tasks to list is a whole number from 1 on, not '" + text +
         "'; without --limit it is the daemon's bound";
}

std::string check_timeout(const std::string& text) {
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == '\0' && seconds >= kTimeoutSecondsMin && seconds <= kTimeoutSecondsMax) return {};
  return "the time to wait is in seconds, from 0.001 to 3600, not '" + text + "'";
}

std::string check_format(const std::string& text) {
  if (text == "text" || text == "json") return {};
  return "there are 'text' for people and 'json' for scripts, not '" + text + "'" +
         (text == "yaml" ? " (JSON is YAML, too)" : "");
}

void add_function_options(CLI::App& sub, Options& options) {
  sub.add_option("function", options.function, "its name (default: a list of all)")->type_name("NAME");
  sub.add_option("--fingerprint", options.fingerprint, "of the version that is meant, where nodes offer several")
      ->type_name("HEX");
  sub.add_option("--proto-dir", options.proto_dir, "write the .proto and what it imports into this folder")
      ->type_name("DIR")
      ->needs("function");
}

void add_call_options(CLI::App& sub, Options& options, std::vector<std::string>& tags) {
  sub.add_option("function", options.function, "its name")->type_name("NAME")->required();
  auto* const json =
      sub.add_option("arguments", options.json, "a JSON object; - for standard input")->type_name("JSON");
  sub.add_option("--file", options.file, "read the arguments from this file")->type_name("FILE")->excludes(json);
  sub.add_option("--node", options.node, "run it on this node only")->type_name("NAME");
  sub.add_option("--tag", tags, "run it only on nodes with this tag; may be given several times")
      ->check(check_tag)
      ->type_name("KEY=VALUE");
  sub.add_option("--fingerprint", options.fingerprint, "of the version that the arguments are for")->type_name("HEX");
}

/// CLI11's message, with the command that was probably meant.
std::string explain_mistake(const std::string& message, const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const auto& command : kCommands) {
    names.emplace_back(command.name);
  }
  std::string text = "kaidoctl: " + message;
  const auto first = std::find_if(arguments.begin(), arguments.end(),
                                  [](const std::string& word) { return !word.empty() && word[0] != '-'; });
  if (first != arguments.end() && std::find(names.begin(), names.end(), *first) == names.end()) {
    if (const auto meant = nearest(*first, names)) {
      text += "\n  did you mean '" + *meant + "'?";
    }
  }
  return text + "\n  try: kaidoctl --help\n";
}

}  // namespace

std::variant<Options, Farewell> parse_options(const std::vector<std::string>& arguments,
                                              const std::string& default_socket) {
  Options options{.socket = default_socket};
  std::string output = "text";
  double timeout_seconds = 5;
  std::vector<std::string> tags;
  CLI::App app("Asks a Kaido node how it is.", "kaidoctl");
  app.footer(kFooter);
  app.set_version_flag("--version", version());
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  app.add_option("-o,--output", output, "text for people, json for scripts")
      ->check(check_format)
      ->type_name("FORMAT")
      ->capture_default_str();
  app.add_option("--socket", options.socket, "the daemon's admin socket")
      ->envname("KAIDO_ADMIN_SOCKET")
      ->type_name("PATH")
      ->capture_default_str();
  const auto* const timeout =
      app.add_option("--timeout", timeout_seconds, "how many seconds to wait for the daemon; call: for the result (60)")
          ->check(check_timeout)
          ->type_name("SECONDS")
          ->capture_default_str();
  for (const auto& command : kCommands) {
    auto* const sub = app.add_subcommand(command.name, command.about);
    sub->fallthrough();  // options may follow the command
    sub->footer("\n-o, --socket and --timeout may follow too: see kaidoctl --help.");
    sub->callback([&options, &command] { options.command = command.command; });
    if (command.command == Command::kFunctions) add_function_options(*sub, options);
    if (command.command == Command::kCall) add_call_options(*sub, options, tags);
    if (command.command == Command::kPing) {
      sub->add_option("node", options.node, "its name (default: every node)")->type_name("NAME");
    }
    if (command.command == Command::kTasks) {
      sub->add_option("--limit", options.limit, "list at most so many (default: the daemon's bound)")
          ->check(check_limit)
          ->type_name("N");
    }
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them last first
  } catch (const CLI::CallForHelp&) {
    return Farewell{ExitCode::kOk, app.help()};
  } catch (const CLI::CallForVersion&) {
    return Farewell{ExitCode::kOk, version() + "\n"};
  } catch (const CLI::Error& error) {
    const bool is_about_words = dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
                                dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
    return Farewell{ExitCode::kUsage,
                    explain_mistake(error.what(), is_about_words ? arguments : std::vector<std::string>())};
  }
  options.as_json = output == "json";
  options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(timeout_seconds * 1000));
  if (timeout->count() > 0) options.call_timeout = options.timeout;
  for (const std::string& tag : tags) {
    const auto at = tag.find('=');
    if (!options.tags.emplace(tag.substr(0, at), tag.substr(at + 1)).second) {
      const std::string twice =
          "--tag: " + tag.substr(0, at) + " is given twice, and no node has two values of one tag";
      return Farewell{ExitCode::kUsage, explain_mistake(twice, {})};
    }
  }
  return options;
}

std::string default_admin_socket(bool system_socket_exists, std::string_view xdg_runtime_dir, uid_t uid) {
  if (system_socket_exists) {
    return "/run/kaido/admin.sock";
  }
  // The XDG specification: a relative path is as good as none.
  if (xdg_runtime_dir.starts_with('/')) {
    return std::string(xdg_runtime_dir) + "/kaido/admin.sock";
  }
  return base::fallback_socket_folder(uid) + "/admin.sock";
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kMistakesMax = 2;
  const auto best = std::min_element(candidates.begin(), candidates.end(), [&](const auto& a, const auto& b) {
    return edit_distance(word, a) < edit_distance(word, b);
  });
  if (best == candidates.end() || edit_distance(word, *best) > kMistakesMax) {
    return std::nullopt;
  }
  return *best;
}

}  // namespace kaido::daemon
