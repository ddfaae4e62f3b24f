#include "daemon/core/schema/schema_text.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

namespace pb = google::protobuf;

void parse(const std::string& name, const std::string& text, pb::FileDescriptorProto& file) {
  pb::io::ArrayInputStream input(text.data(), static_cast<int>(text.size()));
  pb::io::Tokenizer tokenizer(&input, nullptr);
  pb::compiler::Parser parser;
  KAIDO_CHECK(parser.Parse(&tokenizer, &file));
  file.set_name(name);
}

}  // namespace

Schema schema_from_text(const std::string& body, const std::map<std::string, std::string>& imports) {
  pb::FileDescriptorSet set;
  std::string text = "syntax = \"proto3\";\n";
  for (const auto& [name, import] : imports) {
    parse(name, import, *set.add_file());
    text += "import \"" + name + "\";\n";
  }
  parse("function.proto", text + body, *set.add_file());
  return Schema(set.SerializeAsString());
}

Schema schema_of(const std::string& arguments, const std::string& result) {
  return schema_from_text("message Arguments {" + arguments + "} message Result {" + result + "}");
}

}  // namespace kaido::daemon
