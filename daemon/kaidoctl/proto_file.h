/// A function's schema as .proto text, for people and for the compilers of other languages.
#pragma once

#include <string>
#include <vector>

#include "daemon/core/schema/parsed_schema.h"
#include "proto/kaido/v1/admin.pb.h"

namespace kaido::daemon {

/// One file that protoc accepts: comments that say which function this is, who offers which version, then the messages
/// `Arguments` and `Result`. `chosen` is the index of the version shown; `schema` is null if it states none.
[[nodiscard]] std::string format_proto(const v1::DescribeFunctionResponse& function, int chosen, const ParsedSchema* schema);

struct ProtoFile {
  std::string name;  ///< as an import says it: relative, with "/"
  std::string text;
};

/// The files that the shown one imports, each after its own imports. Those that come with protobuf are left out.
[[nodiscard]] std::vector<ProtoFile> imports_of(const ParsedSchema& schema);

}  // namespace kaido::daemon
