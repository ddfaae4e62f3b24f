#include "daemon/kaidoctl/example_call.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/util/json_util.h>

namespace kaido::daemon {
namespace {

namespace pb = google::protobuf;

/// As libprotobuf writes it with every field at its default: it knows how times, wrappers and the like are written.
std::optional<std::string> default_json(const pb::Descriptor& type) {
  const pb::LogSilencer silencer;
  pb::DynamicMessageFactory factory(type.file()->pool());
  const std::unique_ptr<pb::Message> message(factory.GetPrototype(&type)->New());
  pb::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!pb::util::MessageToJsonString(*message, &text, options).ok()) return std::nullopt;
  return text;
}

class ExampleWriter {
 public:
  explicit ExampleWriter(const pb::FileDescriptor& signature) : signature_(signature) {}

  std::optional<std::string> write(const pb::Descriptor& arguments) {
    if (!write_message(arguments)) return std::nullopt;
    return std::move(text_);
  }

 private:
  bool write_message(const pb::Descriptor& message) {
    if (text_.size() > kExampleBytesMax) return false;  // Each writes something: that bounds depth and number, too.
    if (message.file() != &signature_) {
      const auto json = default_json(message);
      text_ += json.value_or("");
      return json && text_.size() <= kExampleBytesMax;
    }
    if (is_open(&message)) return false;
    open_.push_back(&message);
    text_ += '{';
    bool is_first = true;
    for (int i = 0; i < message.field_count(); ++i) {
      const pb::FieldDescriptor& field = *message.field(i);
      if (!is_shown(field)) continue;
      text_ += (is_first ? "\"" : ", \"") + field.name() + "\": ";
      is_first = false;
      if (!write_field(field)) return false;
    }
    text_ += '}';
    open_.pop_back();
    return true;
  }

  /// A list or map of what this stands in is left out, too: its element would have the same list again.
  [[nodiscard]] bool is_shown(const pb::FieldDescriptor& field) const {
    if (field.has_optional_keyword()) return false;
    if (const auto* const choice = field.real_containing_oneof()) return choice->field(0) == &field;
    if (!field.is_repeated()) return true;
    const pb::FieldDescriptor& element = field.is_map() ? *field.message_type()->map_value() : field;
    return element.message_type() == nullptr || !is_open(element.message_type());
  }

  bool write_field(const pb::FieldDescriptor& field) {
    if (field.is_map()) {
      const bool is_text = field.message_type()->map_key()->type() == pb::FieldDescriptor::TYPE_STRING;
      const bool is_bool = field.message_type()->map_key()->type() == pb::FieldDescriptor::TYPE_BOOL;
      text_ += is_text ? R"({"x": )" : is_bool ? R"({"false": )" : R"({"0": )";
      return write_value(*field.message_type()->map_value()) && close('}');
    }
    if (!field.is_repeated()) return write_value(field);
    text_ += '[';
    return write_value(field) && close(']');
  }
  bool close(char bracket) {
    text_ += bracket;
    return true;
  }

  bool write_value(const pb::FieldDescriptor& field) {
    switch (field.type()) {
      case pb::FieldDescriptor::TYPE_GROUP:
      case pb::FieldDescriptor::TYPE_MESSAGE:
        return write_message(*field.message_type());
      case pb::FieldDescriptor::TYPE_STRING:
        text_ += "\"x\"";
        break;
      case pb::FieldDescriptor::TYPE_BYTES:
        text_ += "\"eA==\"";  // "x"
        break;
      case pb::FieldDescriptor::TYPE_BOOL:
        text_ += "false";
        break;
      case pb::FieldDescriptor::TYPE_ENUM:
        text_ += "\"" + field.enum_type()->value(0)->name() + "\"";
        break;
      default:
        text_ += '0';
        break;
    }
    return text_.size() <= kExampleBytesMax;
  }

  [[nodiscard]] bool is_open(const pb::Descriptor* message) const {
    return std::find(open_.begin(), open_.end(), message) != open_.end();
  }

  const pb::FileDescriptor& signature_;
  std::vector<const pb::Descriptor*> open_;  // what the next field stands in
  std::string text_;
};

/// As one word of a POSIX shell.
std::string quoted(std::string_view word) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_:./,+@%-").find(c) != std::string_view::npos;
  };
  if (!word.empty() && word[0] != '-' && std::all_of(word.begin(), word.end(), is_plain)) return std::string(word);
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

}  // namespace

std::optional<std::string> example_call(std::string_view function, std::string_view fingerprint,
                                        const ParsedSchema& schema) {
  const auto json = ExampleWriter(schema.file()).write(schema.arguments());
  if (!json) return std::nullopt;
  std::string text = "kaidoctl call " + quoted(function);
  if (*json != "{}") text += " " + quoted(*json);
  if (!fingerprint.empty()) text += " --fingerprint " + std::string(fingerprint);
  return text;
}

}  // namespace kaido::daemon
