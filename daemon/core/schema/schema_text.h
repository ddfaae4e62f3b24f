/// Schemas from the text of a .proto file, for tests.
#pragma once

#include <map>
#include <string>

#include "daemon/core/schema/schema.h"

namespace kaido::daemon {

/// The body of the last file, in the words of a .proto file without its first line: "message Arguments {…} message
/// Result {…}". CHECKs that it parses. `imports`: file name → text, each with its own syntax line.
[[nodiscard]] Schema schema_from_text(const std::string& body, const std::map<std::string, std::string>& imports = {});

/// "string a1 = 1; optional int32 a2 = 2;" and "int64 value = 1;".
[[nodiscard]] Schema schema_of(const std::string& arguments, const std::string& result = "");

}  // namespace kaido::daemon
