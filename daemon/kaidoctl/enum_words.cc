#include "daemon/kaidoctl/enum_words.h"

#include <cctype>
#include <map>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

namespace pb = google::protobuf;

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

void rename_in(pb::DescriptorProto& message, const std::map<std::string, std::string>& moved) {
  for (auto& field : *message.mutable_field()) {
    if (const auto found = moved.find(field.type_name()); found != moved.end()) field.set_type_name(found->second);
  }
  for (auto& nested : *message.mutable_nested_type()) rename_in(nested, moved);
  for (auto& type : *message.mutable_enum_type()) {
    for (auto& value : *type.mutable_value()) value.set_name(enum_word(type.name(), value.name()));
  }
}

/// The file with worded enums. Each enum at the top gets a message around it, since values are siblings of their enum,
/// and two enums may both have "unknown".
pb::FileDescriptorProto worded_file(const pb::FileDescriptor& original) {
  pb::FileDescriptorProto file;
  original.CopyTo(&file);
  file.clear_service();
  const std::string package = "." + file.package() + ".";
  std::map<std::string, std::string> moved;
  for (auto& type : *file.mutable_enum_type()) {
    const std::string around = type.name() + "Words";
    moved.emplace(package + type.name(), package + around + "." + type.name());
    pb::DescriptorProto& message = *file.add_message_type();
    message.set_name(around);
    *message.add_enum_type() = std::move(type);
  }
  file.clear_enum_type();
  for (auto& message : *file.mutable_message_type()) rename_in(message, moved);
  return file;
}

}  // namespace

class WordedMessage::Impl {
 public:
  explicit Impl(const pb::Message& message) : pool_(pb::DescriptorPool::generated_pool()), factory_(&pool_) {
    const pb::Descriptor& type = *message.GetDescriptor();
    if (!type.full_name().starts_with("kaido.")) {
      message_.reset(message.New());
      message_->CopyFrom(message);
      return;
    }
    KAIDO_CHECK(pool_.BuildFile(worded_file(*type.file())) != nullptr);
    message_.reset(factory_.GetPrototype(pool_.FindMessageTypeByName(type.full_name()))->New());
    KAIDO_CHECK(message_->ParseFromString(message.SerializeAsString()));
  }
  [[nodiscard]] const pb::Message& message() const { return *message_; }

 private:
  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_;
  std::unique_ptr<pb::Message> message_;
};

WordedMessage::WordedMessage(const pb::Message& message) : impl_(std::make_unique<Impl>(message)) {}
WordedMessage::~WordedMessage() = default;

const pb::Message& WordedMessage::operator*() const { return impl_->message(); }

std::string enum_word(std::string_view enum_name, std::string_view value_name) {
  std::string prefix;
  for (const char c : enum_name) {
    if (!prefix.empty() && std::isupper(static_cast<unsigned char>(c))) prefix += '_';
    prefix += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  prefix += '_';
  if (value_name.starts_with(prefix)) value_name.remove_prefix(prefix.size());
  std::string word;
  for (const char c : value_name) word += lower(c);
  return word == "unspecified" ? "unknown" : word;
}

}  // namespace kaido::daemon
