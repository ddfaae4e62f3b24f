#include "daemon/kaidoctl/proto_file.h"

#include <set>

#include <google/protobuf/descriptor.h>

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

}  // namespace

std::string format_proto(const v1::DescribeFunctionResponse& function, int chosen, const ParsedSchema* schema) {
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
  if (schema == nullptr) return text + comment("no schema: the app that offers it states none");
  for (const ProtoFile& file : imports_of(*schema)) text += comment("imports " + file.name + ": see --proto-dir");
  return text + "\n" + schema->file().DebugString();
}

std::vector<ProtoFile> imports_of(const ParsedSchema& schema) {
  std::set<std::string> seen;
  std::vector<ProtoFile> files;
  collect(schema.file(), seen, files);
  return files;
}

}  // namespace kaido::daemon
