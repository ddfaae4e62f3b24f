/// A function's schema as .proto text, for people and for the compilers of other languages.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "daemon/core/schema/parsed_schema.h"
#include "proto/kaido/v1/admin.pb.h"

namespace kaido::daemon {

struct ProtoFile {
  std::string name;  ///< as an import says it: relative, with "/"
  std::string text;
};

/// One file that protoc accepts: comments that say which function this is, who offers which version and how it is
/// called from a shell, then the messages `Arguments` and `Result`, in a package of the function's name, so that one
/// program may use several functions. (A package is not on the wire.) `chosen` is the index of the version shown;
/// `schema` is null if it states none.
[[nodiscard]] ProtoFile format_proto(const v1::DescribeFunctionResponse& function, int chosen,
                                     const ParsedSchema* schema);

/// "geo::sort<int>" → {"geo", "sort_int_"}.
[[nodiscard]] std::vector<std::string> package_of(std::string_view function);

/// The files that the shown one imports, each after its own imports. Those that come with protobuf are left out.
[[nodiscard]] std::vector<ProtoFile> imports_of(const ParsedSchema& schema);

}  // namespace kaido::daemon
