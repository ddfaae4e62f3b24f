/// A schema read: the messages that a function's arguments and result are.
#pragma once

#include <memory>
#include <string_view>

#include "proto/base/status.h"

namespace google::protobuf {
class Descriptor;
class DescriptorPool;
class FileDescriptor;
}  // namespace google::protobuf

namespace kaido::daemon {

/// Descriptors of a pool of their own: what one function calls `Point` is nobody else's.
///
/// Threading: immutable.
/// Lifetime: what it returns lives as long as it.
class ParsedSchema {
 public:
  /// The bytes are somebody else's: any of them may come, and cost at most what their length allows.
  /// Errors: kInvalidArgument, saying what is wrong with them.
  [[nodiscard]] static base::StatusOr<ParsedSchema> parse(std::string_view bytes);

  ParsedSchema(ParsedSchema&&) noexcept;
  ParsedSchema& operator=(ParsedSchema&&) noexcept;
  ~ParsedSchema();

  [[nodiscard]] const google::protobuf::Descriptor& arguments() const { return *arguments_; }
  [[nodiscard]] const google::protobuf::Descriptor& result() const { return *result_; }
  /// The file that both are in; the files of generated messages are its dependencies.
  [[nodiscard]] const google::protobuf::FileDescriptor& file() const { return *file_; }

 private:
  ParsedSchema();

  std::unique_ptr<google::protobuf::DescriptorPool> pool_;
  const google::protobuf::FileDescriptor* file_ = nullptr;
  const google::protobuf::Descriptor* arguments_ = nullptr;
  const google::protobuf::Descriptor* result_ = nullptr;
};

}  // namespace kaido::daemon
