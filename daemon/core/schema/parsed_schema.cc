#include "daemon/core/schema/parsed_schema.h"

#include <string>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/stubs/logging.h>

namespace kaido::daemon {
namespace {

namespace pb = google::protobuf;

base::Status malformed(const std::string& why) { return absl::InvalidArgumentError("malformed schema: " + why); }

/// The first complaint; the others mostly follow from it.
class FirstError final : public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(const std::string& file, const std::string& element, const pb::Message* /*descriptor*/,
                ErrorLocation /*location*/, const std::string& message) override {
    if (text_.empty()) text_ = element + " in " + file + ": " + message;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

ParsedSchema::ParsedSchema() : pool_(std::make_unique<pb::DescriptorPool>()) {}
ParsedSchema::ParsedSchema(ParsedSchema&&) noexcept = default;
ParsedSchema& ParsedSchema::operator=(ParsedSchema&&) noexcept = default;
ParsedSchema::~ParsedSchema() = default;

base::StatusOr<ParsedSchema> ParsedSchema::parse(std::string_view bytes) {
  const pb::LogSilencer silencer;  // what is wrong is returned; an app must not fill the node's log
  pb::FileDescriptorSet set;
  if (!set.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return malformed("it is no google.protobuf.FileDescriptorSet");
  }
  if (set.file_size() == 0) return malformed("it has no file");
  ParsedSchema schema;
  for (const pb::FileDescriptorProto& file : set.file()) {
    FirstError error;
    schema.file_ = schema.pool_->BuildFileCollectingErrors(file, &error);
    if (schema.file_ == nullptr) return malformed(error.text());
  }
  if (schema.file_->syntax() != pb::FileDescriptor::SYNTAX_PROTO3) return malformed("its last file is not proto3");
  schema.arguments_ = schema.file_->FindMessageTypeByName("Arguments");
  schema.result_ = schema.file_->FindMessageTypeByName("Result");
  if (schema.arguments_ == nullptr || schema.result_ == nullptr) {
    return malformed("its last file lacks the message Arguments or Result");
  }
  const bool returns_one = schema.result_->field_count() == 1 && schema.result_->field(0)->number() == 1;
  if (schema.result_->field_count() != 0 && !returns_one) return malformed("Result has other fields than value = 1");
  return schema;
}

}  // namespace kaido::daemon
