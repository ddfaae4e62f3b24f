#include "daemon/kaidoctl/arguments_json.h"

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>

namespace kaido::daemon {
namespace {

namespace pb = google::protobuf;
using Complaint = std::optional<std::string>;

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// Unknown and missing fields, which libprotobuf would pass over or name less clearly. Generated messages are their
/// authors' business: what is not there has its default there.
class Checker {
 public:
  explicit Checker(const pb::FileDescriptor& signature) : signature_(signature) {}

  Complaint check(const pb::Descriptor& message, const pb::Struct& object, const std::string& path) const {
    if (message.file() != &signature_) return std::nullopt;
    for (const auto& [name, value] : object.fields()) {
      const pb::FieldDescriptor* field = find(message, name);
      if (field == nullptr) return unknown(message, path, name);
      if (auto complaint = check(*field, value, path + name)) return complaint;
    }
    return find_missing(message, object, path);
  }

 private:
  static const pb::FieldDescriptor* find(const pb::Descriptor& message, const std::string& name) {
    const pb::FieldDescriptor* field = message.FindFieldByName(name);
    return field != nullptr ? field : message.FindFieldByCamelcaseName(name);
  }

  Complaint check(const pb::FieldDescriptor& field, const pb::Value& value, const std::string& path) const {
    if (value.has_null_value()) return std::nullopt;  // as good as absent
    if (field.is_map()) return check_map(field, value, path);
    if (!field.is_repeated()) return check_one(field, value, path);
    if (!value.has_list_value()) return path + ": a list is expected";
    for (int i = 0; i < value.list_value().values_size(); ++i) {
      const std::string element = path + "[" + std::to_string(i) + "]";
      if (auto complaint = check_one(field, value.list_value().values(i), element)) return complaint;
    }
    return std::nullopt;
  }

  Complaint check_map(const pb::FieldDescriptor& field, const pb::Value& value, const std::string& path) const {
    if (!value.has_struct_value()) return path + ": an object is expected";
    for (const auto& [key, mapped] : value.struct_value().fields()) {
      if (auto complaint = check_one(*field.message_type()->map_value(), mapped, path + "[\"" + key + "\"]"))
        return complaint;
    }
    return std::nullopt;
  }

  Complaint check_one(const pb::FieldDescriptor& field, const pb::Value& value, const std::string& path) const {
    // libprotobuf would take "yes" for true.
    if (field.type() == pb::FieldDescriptor::TYPE_BOOL && !value.has_bool_value())
      return path + ": true or false is expected";
    if (field.message_type() == nullptr || field.message_type()->file() != &signature_) return std::nullopt;
    if (!value.has_struct_value()) return path + ": an object is expected";
    return check(*field.message_type(), value.struct_value(), path + ".");
  }

  static Complaint unknown(const pb::Descriptor& message, const std::string& path, const std::string& name) {
    std::vector<std::string> known;
    for (int i = 0; i < message.field_count(); ++i) known.push_back(message.field(i)->name());
    return path + name + ": there is no such field; there is " + (known.empty() ? "none" : join(known));
  }

  static Complaint find_missing(const pb::Descriptor& message, const pb::Struct& object, const std::string& path) {
    const auto is_given = [&](const pb::FieldDescriptor& field) {
      for (const std::string& name : {field.name(), field.camelcase_name()}) {
        const auto value = object.fields().find(name);
        if (value != object.fields().end() && !value->second.has_null_value()) return true;
      }
      return false;
    };
    std::vector<std::string> missing;
    for (int i = 0; i < message.field_count(); ++i) {
      const pb::FieldDescriptor& field = *message.field(i);
      const bool has_default = field.is_repeated() || field.has_optional_keyword();
      if (!has_default && field.real_containing_oneof() == nullptr && !is_given(field))
        missing.push_back(path + field.name());
    }
    for (int i = 0; i < message.real_oneof_decl_count(); ++i) {
      const pb::OneofDescriptor& oneof = *message.oneof_decl(i);
      std::vector<std::string> names;
      bool some_given = false;
      for (int j = 0; j < oneof.field_count(); ++j) {
        names.push_back(path + oneof.field(j)->name());
        some_given = some_given || is_given(*oneof.field(j));
      }
      if (!some_given) missing.push_back("one of " + join(names));
    }
    if (missing.empty()) return std::nullopt;
    return "missing: " + join(missing);
  }

  const pb::FileDescriptor& signature_;
};

/// "INVALID_ARGUMENT:(p.x): invalid value "q" for type TYPE_INT32" → "p.x: invalid value "q" for type int32".
std::string reword(std::string text) {
  if (text.starts_with('(')) {
    text.erase(0, 1);
    if (const auto end = text.find(')'); end != std::string::npos) text.erase(end, 1);
  }
  if (text.starts_with(": ")) text.erase(0, 2);  // of the root, which has no name
  if (const auto type = text.find("TYPE_"); type != std::string::npos) {
    text.erase(type, 5);
    for (auto i = type; i < text.size(); ++i)
      text[i] = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
  }
  return text;
}

std::string reword(const pb::util::Status& status) { return reword(std::string(status.message())); }

/// A message of a type that is known only now. The factory owns what the message is made by.
class Dynamic {
 public:
  explicit Dynamic(const pb::Descriptor& type)
      : factory_(std::make_unique<pb::DynamicMessageFactory>(type.file()->pool())),
        message_(factory_->GetPrototype(&type)->New()) {}
  pb::Message& operator*() { return *message_; }
  pb::Message* operator->() { return message_.get(); }

 private:
  std::unique_ptr<pb::DynamicMessageFactory> factory_;
  std::unique_ptr<pb::Message> message_;
};

base::StatusOr<Dynamic> parse_result(const ParsedSchema& schema, std::string_view bytes) {
  const pb::LogSilencer silencer;
  Dynamic result(schema.result());
  if (!result->ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("the result is not what the schema says");
  }
  return result;
}

base::StatusOr<std::string> write_json(pb::Message& message) {
  pb::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (const auto status = pb::util::MessageToJsonString(message, &text, options); !status.ok()) {
    return absl::InternalError("cannot write the result as JSON: " + status.ToString());
  }
  return text;
}

}  // namespace

base::StatusOr<std::string> arguments_from_json(const ParsedSchema& schema, std::string_view json) {
  const pb::LogSilencer silencer;
  const std::string text(json);
  pb::Struct object;
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return absl::InvalidArgumentError("no JSON was given");
  if (const auto status = pb::util::JsonStringToMessage(text, &object); !status.ok()) {
    return absl::InvalidArgumentError("not a JSON object: " + reword(status));
  }
  if (const auto complaint = Checker(schema.file()).check(schema.arguments(), object, "")) {
    return absl::InvalidArgumentError(*complaint);
  }
  Dynamic arguments(schema.arguments());
  if (const auto status = pb::util::JsonStringToMessage(text, &*arguments); !status.ok()) {
    return absl::InvalidArgumentError(reword(status));
  }
  return arguments->SerializeAsString();
}

base::StatusOr<std::string> result_to_json(const ParsedSchema& schema, std::string_view bytes) {
  auto result = parse_result(schema, bytes);
  if (!result.ok()) return result.status();
  return write_json(**result);
}

base::StatusOr<std::string> result_to_text(const ParsedSchema& schema, std::string_view bytes) {
  if (schema.result().field_count() == 0) return std::string();
  auto result = parse_result(schema, bytes);
  if (!result.ok()) return result.status();
  const pb::FieldDescriptor& value = *schema.result().field(0);
  const pb::Reflection& reflection = *(*result)->GetReflection();
  if (value.has_presence() && !reflection.HasField(**result, &value)) return std::string("null");
  if (!value.is_repeated()) {
    switch (value.type()) {
      case pb::FieldDescriptor::TYPE_STRING:
        return reflection.GetString(**result, &value);
      default:
        break;
    }
    if (value.cpp_type() == pb::FieldDescriptor::CPPTYPE_INT64)
      return std::to_string(reflection.GetInt64(**result, &value));
    if (value.cpp_type() == pb::FieldDescriptor::CPPTYPE_UINT64)
      return std::to_string(reflection.GetUInt64(**result, &value));
  }
  auto json = write_json(**result);
  if (!json.ok()) return json;
  // One field, so what stands around its value is known.
  const std::string_view prefix = "{\"value\":";
  if (!json->starts_with(prefix) || !json->ends_with('}')) return json;
  return json->substr(prefix.size(), json->size() - prefix.size() - 1);
}

}  // namespace kaido::daemon
