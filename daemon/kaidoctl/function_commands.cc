#include "daemon/kaidoctl/function_commands.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/schema/parsed_schema.h"
#include "daemon/kaidoctl/arguments_json.h"
#include "daemon/kaidoctl/format.h"
#include "daemon/kaidoctl/output.h"
#include "daemon/kaidoctl/proto_file.h"
#include "daemon/kaidoctl/table.h"

namespace kaido::daemon {
namespace {

/// More arguments than the daemon takes need not be read; also the bound for what is piped in by mistake.
constexpr std::size_t kInputBytesMax = 64U << 20;

/// What the daemon takes of an operator's call: docs/operating/kaidoctl.md.
constexpr std::size_t kArgumentBytesMax = 4U << 20;

/// A function in the version that is meant, and how to encode for it.
struct Target {
  v1::DescribeFunctionResponse function;
  int chosen = 0;
  std::optional<ParsedSchema> schema;  ///< nothing: the version states none
};

std::string suggest(AdminClient& client, const std::string& name) {
  const auto known = client.list_functions();
  if (!known.ok()) return {};
  std::vector<std::string> names;
  for (const auto& function : known->functions()) names.push_back(function.name());
  const auto meant = nearest(name, names);
  return meant ? "\n  did you mean '" + *meant + "'?" : std::string();
}

/// Nothing, if `target` was filled; else what to end with, having said why.
std::optional<ExitCode> find_target(AdminClient& client, const Options& options, Target& target) {
  auto described = client.describe_function(options.function);
  if (absl::IsNotFound(described.status())) {
    return complain(ExitCode::kNoFunction,
                    std::string(described.status().message()) + suggest(client, options.function));
  }
  if (!described.ok()) return explain(described.status(), options);
  target.function = *std::move(described);
  const auto& versions = target.function.versions();
  const auto wanted = std::find_if(versions.begin(), versions.end(), [&](const v1::FunctionVersion& version) {
    return options.fingerprint.empty() || version.fingerprint() == options.fingerprint;
  });
  if (wanted == versions.end()) {
    return complain(ExitCode::kNoFunction, "no node that is alive offers '" + options.function +
                                               "' with the fingerprint " + options.fingerprint +
                                               "; see `kaidoctl functions " + options.function + "`");
  }
  target.chosen = static_cast<int>(wanted - versions.begin());
  if (wanted->schema().empty()) return std::nullopt;
  auto schema = ParsedSchema::parse(wanted->schema());
  if (!schema.ok())
    return complain(ExitCode::kFailed, options.function + " has a " + std::string(schema.status().message()));
  target.schema.emplace(*std::move(schema));
  return std::nullopt;
}

base::StatusOr<std::string> read_all(std::FILE* file, const std::string& name) {
  std::string text;
  char buffer[1 << 16];
  for (std::size_t size; (size = std::fread(buffer, 1, sizeof buffer, file)) > 0;) {
    text.append(buffer, size);
    if (text.size() > kInputBytesMax) return absl::InvalidArgumentError(name + " holds too much for arguments");
  }
  if (std::ferror(file) != 0) return absl::InvalidArgumentError("cannot read " + name);
  return text;
}

base::StatusOr<std::string> read_json(const Options& options) {
  if (!options.file.empty()) {
    std::FILE* const file = std::fopen(options.file.c_str(), "rb");
    if (file == nullptr) return absl::InvalidArgumentError("cannot open " + options.file + ": " + std::strerror(errno));
    auto text = read_all(file, options.file);
    std::fclose(file);
    return text;
  }
  if (options.json == "-") return read_all(stdin, "standard input");
  return options.json.value_or("{}");
}

/// The folder is the operator's, the names are somebody else's: none may lead out of it.
bool stays_inside(const std::filesystem::path& name) {
  return !name.empty() && name.is_relative() && std::find(name.begin(), name.end(), "..") == name.end();
}

ExitCode write_files(const Options& options, const Target& target) {
  std::vector<ProtoFile> files = imports_of(*target.schema);
  files.push_back(format_proto(target.function, target.chosen, &*target.schema));
  for (const ProtoFile& file : files) {
    if (!stays_inside(file.name))
      return complain(ExitCode::kFailed, "the schema names a file outside of the folder: " + file.name);
    const std::filesystem::path path = std::filesystem::path(options.proto_dir) / file.name;
    std::error_code error;
    std::filesystem::create_directories(path.parent_path(), error);
    std::ofstream stream(path, std::ios::binary);
    if (!(stream << file.text).flush()) return complain(ExitCode::kFailed, "cannot write " + path.string());
    if (const auto printed = print(path.string() + "\n"); printed != ExitCode::kOk) return printed;
  }
  return ExitCode::kOk;
}

ExitCode code_of(const std::string& outcome) {
  if (outcome == "timed_out") return ExitCode::kTimedOut;
  if (outcome == "invalid_argument") return ExitCode::kBadArguments;
  return ExitCode::kCallFailed;
}

ExitCode show_failure(const Options& options, const v1::CallResponse& response) {
  const ExitCode code = code_of(response.outcome());
  if (options.as_json) return print(to_json(response), code);
  return complain(code, format_failure(options.function, response));
}

/// On a terminal control characters are shown, not obeyed; a text may have its lines.
std::string for_terminal(const std::string& text) {
  std::string shown;
  std::size_t begin = 0;
  for (std::size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    shown += paint(text.substr(begin, end - begin), Colour::kNone, {}) + "\n";
  }
  return shown + paint(text.substr(begin), Colour::kNone, {});
}

ExitCode show_result(const Options& options, const ParsedSchema& schema, const std::string& bytes) {
  auto text = options.as_json ? result_to_json(schema, bytes) : result_to_text(schema, bytes);
  if (!text.ok() || text->empty()) return print(text);
  return print((::isatty(STDOUT_FILENO) == 1 ? for_terminal(*text) : *text) + "\n");
}

}  // namespace

ExitCode describe_function(AdminClient& client, const Options& options) {
  Target target;
  if (const auto ended = find_target(client, options, target)) return *ended;
  if (!options.proto_dir.empty() && !target.schema) {
    return complain(ExitCode::kFailed, options.function + " has no schema: the app that offers it states none");
  }
  if (!options.proto_dir.empty()) return write_files(options, target);
  if (options.as_json) return print(to_json(target.function));
  return print(format_proto(target.function, target.chosen, target.schema ? &*target.schema : nullptr).text);
}

ExitCode call_function(AdminClient& client, const Options& options) {
  Target target;
  if (const auto ended = find_target(client, options, target)) return *ended;
  if (!target.schema) {
    return complain(ExitCode::kFailed, options.function +
                                           " has no schema, so its arguments cannot be encoded here: the app "
                                           "that offers it states none");
  }
  const auto json = read_json(options);
  if (!json.ok()) return complain(ExitCode::kBadArguments, std::string(json.status().message()));
  auto arguments = arguments_from_json(*target.schema, *json);
  if (!arguments.ok()) {
    return complain(ExitCode::kBadArguments, options.function + target.function.versions(target.chosen).signature() +
                                                 ": " + std::string(arguments.status().message()));
  }
  if (arguments->size() > kArgumentBytesMax) {
    return complain(ExitCode::kBadArguments,
                    options.function + ": the arguments take " + std::to_string(arguments->size()) +
                        " bytes; an operator's call takes " + std::to_string(kArgumentBytesMax) + " at most");
  }
  v1::CallRequest request;
  request.set_function(options.function);
  *request.mutable_version() = target.function.versions(target.chosen);
  request.mutable_version()->clear_offers();
  request.set_arguments(*std::move(arguments));
  request.set_node(options.node);
  request.mutable_tags()->insert(options.tags.begin(), options.tags.end());
  request.set_timeout_seconds(std::chrono::duration<double>(options.call_timeout).count());
  const auto response = client.call(request);
  if (absl::IsInvalidArgument(response.status())) {
    return complain(ExitCode::kBadArguments, std::string(response.status().message()));
  }
  if (!response.ok()) return explain(response.status(), options);
  if (response->outcome() != "succeeded") return show_failure(options, *response);
  return show_result(options, *target.schema, response->result());
}

}  // namespace kaido::daemon
