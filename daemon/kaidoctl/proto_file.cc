#include "daemon/kaidoctl/proto_file.h"

#include <set>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/stubs/logging.h>

#include "daemon/kaidoctl/example_call.h"
#include "daemon/kaidoctl/table.h"

namespace kaido::daemon {
namespace {

namespace pb = google::protobuf;

std::string offers_of(const v1::FunctionVersion& version) {
  std::string text;
  for (const v1::FunctionOffer& offer : version.offers()) {
    text += (text.empty() ? "" : ", ") + offer.node() + " (" + std::to_string(offer.slots()) + " slots)";
  }
  return text;
}

/// Somebody else's text stays in its comment.
std::string comment(const std::string& text) { return "// " + paint(text, Colour::kNone, {}) + "\n"; }

void collect(const pb::FileDescriptor& file, std::set<std::string>& seen, std::vector<ProtoFile>& files) {
  for (int i = 0; i < file.dependency_count(); ++i) {
    const pb::FileDescriptor& import = *file.dependency(i);
    if (import.name().starts_with("google/protobuf/") || !seen.insert(import.name()).second) continue;
    collect(import, seen, files);
    files.push_back({import.name(), import.DebugString()});
  }
}

std::string join(const std::vector<std::string>& parts, char separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : std::string(1, separator)) + part;
  return text;
}

/// ".Arguments.Point" → ".geo.sort.Arguments.Point", of what is in this file.
void qualify(pb::DescriptorProto& message, const std::set<std::string>& here, const std::string& package) {
  for (pb::FieldDescriptorProto& field : *message.mutable_field()) {
    const std::string& type = field.type_name();
    if (!type.starts_with('.') || !here.contains(type.substr(1, type.find('.', 1) - 1))) continue;
    field.set_type_name("." + package + type);
  }
  for (pb::DescriptorProto& nested : *message.mutable_nested_type()) qualify(nested, here, package);
}

/// The function's file under another name and in a package, if it has none.
std::string in_package(const pb::FileDescriptor& file, const std::string& name, const std::string& package) {
  pb::FileDescriptorProto copy;
  file.CopyTo(&copy);
  if (copy.package().empty()) {
    std::set<std::string> here;
    for (const pb::DescriptorProto& message : copy.message_type()) here.insert(message.name());
    for (const pb::EnumDescriptorProto& type : copy.enum_type()) here.insert(type.name());
    for (pb::DescriptorProto& message : *copy.mutable_message_type()) qualify(message, here, package);
    copy.set_package(package);
  }
  copy.set_name(name);
  pb::DescriptorPool pool(file.pool());
  const pb::LogSilencer silencer;
  const pb::FileDescriptor* const renamed = pool.BuildFile(copy);
  // Nothing but a package that clashes with an import's can be in the way.
  return renamed != nullptr ? renamed->DebugString() : file.DebugString();
}

}  // namespace

std::vector<std::string> package_of(std::string_view function) {
  std::vector<std::string> parts(1);
  for (const char c : function) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    if (c == ':' || c == '.') {
      if (!parts.back().empty()) parts.emplace_back();
    } else {
      const bool is_digit = c >= '0' && c <= '9';
      if (is_digit && parts.back().empty()) parts.back() = "_";
      parts.back() += is_letter || is_digit ? c : '_';
    }
  }
  if (parts.back().empty()) parts.pop_back();
  if (parts.empty()) parts.emplace_back("function");
  return parts;
}

ProtoFile format_proto(const v1::DescribeFunctionResponse& function, int chosen, const ParsedSchema* schema) {
  const v1::FunctionVersion& version = function.versions(chosen);
  std::string text = comment(function.name() + version.signature());
  text += comment("id " + version.id() + ", fingerprint " + version.fingerprint());
  text += comment("offered by " + offers_of(version));
  for (int i = 0; i < function.versions_size(); ++i) {
    if (i == chosen) continue;
    const v1::FunctionVersion& other = function.versions(i);
    text += comment("another version: " + other.signature() + ", fingerprint " + other.fingerprint() + ", offered by " +
                    offers_of(other));
  }
  const std::vector<std::string> package = package_of(function.name());
  const std::string name = join(package, '/') + ".proto";
  if (schema == nullptr) return {name, text + comment("no schema: the app that offers it states none")};
  const std::string fingerprint = chosen == 0 ? std::string() : version.fingerprint();
  if (const auto call = example_call(function.name(), fingerprint, *schema)) text += comment("example: " + *call);
  for (const ProtoFile& file : imports_of(*schema)) text += comment("imports " + file.name + ": see --proto-dir");
  return {name, text + "\n" + in_package(schema->file(), name, join(package, '.'))};
}

std::vector<ProtoFile> imports_of(const ParsedSchema& schema) {
  std::set<std::string> seen;
  std::vector<ProtoFile> files;
  collect(schema.file(), seen, files);
  return files;
}

}  // namespace kaido::daemon
