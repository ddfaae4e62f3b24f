// Writes a signature's tables as google.protobuf.FileDescriptorSet, byte by byte: libkaido needs no descriptor library,
// and what it writes is small. The field numbers are those of google/protobuf/descriptor.proto.
#include <kaido/detail/codec_schema.h>

#include <cctype>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kaido/detail/type_name.h>
#include <kaido/detail/wire_format.h>

namespace kaido::inline abi0::detail {
namespace {

constexpr std::string_view kFileName = "kaido_function.proto";
constexpr std::uint32_t kOptional = 1;
constexpr std::uint32_t kRepeated = 3;

/// A protobuf message in the making.
class MessageBytes {
 public:
  void put(std::uint32_t number, std::uint64_t value) {
    put_varint(tag_of(number, WireType::kVarint));
    put_varint(value);
  }
  void put(std::uint32_t number, std::string_view block) {
    put_varint(tag_of(number, WireType::kLength));
    put_varint(block.size());
    bytes_ += block;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  void put_varint(std::uint64_t value) {
    std::byte buffer[10];
    const std::byte* const end = write_varint(buffer, value);
    bytes_.append(reinterpret_cast<const char*>(buffer), static_cast<std::size_t>(end - buffer));
  }

  std::string bytes_;
};

/// The name of the message of a map field's entries: libprotobuf insists on this one.
std::string entry_name(std::string_view field) {
  std::string name;
  bool upper = true;
  for (const char c : field) {
    if (c != '_') name += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = c == '_';
  }
  return name + "Entry";
}

/// Two fields of a message must also differ when written in JSON's way, or in any other capitals.
std::string folded(std::string_view name) {
  std::string key;
  for (const char c : name) {
    if (c != '_') key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return key;
}

/// The keys that protobuf's map syntax allows.
bool may_be_map_key(ProtoType type) {
  return type != ProtoType::kDouble && type != ProtoType::kFloat && type != ProtoType::kBytes &&
         type != ProtoType::kMessage;
}

/// The names of a message's fields: as given where that is usable, else a1, a2, … The message of a map's entries has a
/// name of the same scope.
std::vector<std::string> field_names(std::span<const FieldSchema> fields, std::span<const std::string_view> given) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const bool is_map = fields[i].label == FieldLabel::kMap;
    const auto is_taken = [&](const std::string& name) {
      return taken.contains(folded(name)) || (is_map && taken.contains(folded(entry_name(name))));
    };
    std::string name(i < given.size() ? given[i] : std::string_view());
    if (!is_identifier(name) || folded(name).empty() || is_taken(name)) name = "a" + std::to_string(i + 1);
    while (is_taken(name)) name += "x";
    taken.insert(folded(name));
    if (is_map) taken.insert(folded(entry_name(name)));
    names.push_back(std::move(name));
  }
  return names;
}

class DescriptorWriter {
 public:
  std::string write(const SignatureSchema& signature, std::span<const std::string_view> names) {
    static constexpr std::string_view kValue[] = {"value"};
    const std::string arguments = write_root("Arguments", signature.parameters, names);
    const std::string result = write_root("Result", signature.result, kValue);

    MessageBytes file;
    file.put(1, kFileName);
    for (const std::string& dependency : dependencies_) file.put(3, dependency);
    file.put(4, arguments);
    file.put(4, result);
    file.put(12, "proto3");
    MessageBytes set;
    for (const GeneratedFile& generated : files_) set.put(1, generated.bytes);
    set.put(1, file.bytes());
    return set.bytes();
  }

 private:
  /// One of the two outermost messages. All messages that it needs and that do not exist yet become its nested types.
  std::string write_root(std::string_view name, std::span<const FieldSchema> fields,
                         std::span<const std::string_view> given) {
    root_ = "." + std::string(name);
    const std::vector<std::string> names = field_names(fields, given);
    taken_.clear();
    for (std::size_t i = 0; i < fields.size(); ++i) {
      taken_.insert({names[i], "_" + names[i], entry_name(names[i])});
    }
    MessageBytes message;
    message.put(1, name);
    write_members(message, root_, fields, names);
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      const auto [type, type_name] = pending_[i];
      message.put(3, write_nested(*type, type_name));
    }
    pending_.clear();
    return message.bytes();
  }

  std::string write_nested(const TypeSchema& type, const std::string& name) {
    const std::span fields(type.fields, type.count);
    MessageBytes message;
    message.put(1, name);
    // What stands around a container is called as in the result.
    write_members(message, root_ + "." + name, fields,
                  field_names(fields, type.is_wrapper ? std::vector<std::string_view>{"value"}
                                                      : cut_member_names(type.member_names, type.count)));
    return message.bytes();
  }

  void write_members(MessageBytes& message, const std::string& path, std::span<const FieldSchema> fields,
                     const std::vector<std::string>& names) {
    std::vector<std::string> oneofs;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const FieldSchema& field = fields[i];
      MessageBytes member;
      member.put(1, names[i]);
      member.put(3, i + 1);
      if (field.label == FieldLabel::kMap) {
        const std::string entry = entry_name(names[i]);
        member.put(4, kRepeated);
        member.put(5, static_cast<std::uint64_t>(ProtoType::kMessage));
        member.put(6, path + "." + entry);
        message.put(3, write_entry(field, entry));
      } else {
        member.put(4, field.label == FieldLabel::kRepeated ? kRepeated : kOptional);
        write_type(member, *field.type);
      }
      if (field.label == FieldLabel::kOneof) {
        if (oneofs.empty()) oneofs.emplace_back("value");
        member.put(9, std::uint64_t{0});
      } else if (field.label == FieldLabel::kOptional) {
        member.put(9, oneofs.size());
        member.put(17, std::uint64_t{1});
        oneofs.push_back("_" + names[i]);
      }
      message.put(2, member.bytes());
    }
    for (const std::string& name : oneofs) put_oneof(message, name);
  }

  /// {key = 1, value = 2}. Both are always written: in a map that is the rule, elsewhere `optional` says so.
  std::string write_entry(const FieldSchema& field, const std::string& name) {
    const bool is_map = may_be_map_key(field.key->type);
    MessageBytes entry;
    entry.put(1, name);
    const std::pair<std::string_view, const TypeSchema*> members[] = {{"key", field.key}, {"value", field.type}};
    for (std::uint32_t i = 0; i < 2; ++i) {
      MessageBytes member;
      member.put(1, members[i].first);
      member.put(3, i + 1);
      member.put(4, kOptional);
      write_type(member, *members[i].second);
      if (!is_map) {
        member.put(9, i);
        member.put(17, std::uint64_t{1});
      }
      entry.put(2, member.bytes());
    }
    if (is_map) {
      MessageBytes options;
      options.put(7, std::uint64_t{1});
      entry.put(7, options.bytes());
    } else {
      put_oneof(entry, "_key");
      put_oneof(entry, "_value");
    }
    return entry.bytes();
  }

  static void put_oneof(MessageBytes& message, std::string_view name) {
    MessageBytes oneof;
    oneof.put(1, name);
    message.put(8, oneof.bytes());
  }

  void write_type(MessageBytes& member, const TypeSchema& type) {
    // A generated message of the lite runtime cannot be described: for other languages it is bytes.
    const bool is_opaque = type.is_generated && type.generated == nullptr;
    member.put(5, static_cast<std::uint64_t>(is_opaque ? ProtoType::kBytes : type.type));
    if (type.type == ProtoType::kMessage && !is_opaque) member.put(6, name_message(type));
  }

  /// The full name of a message, which is planned as a nested type where it is not known yet.
  const std::string& name_message(const TypeSchema& type) {
    std::string& known = names_[&type];
    if (known.empty() && type.is_generated) {
      const GeneratedMessage generated = type.generated();
      known = "." + generated.name;
      for (const GeneratedFile& file : generated.files) {
        if (file_names_.insert(file.name).second) files_.push_back(file);
      }
      dependencies_.insert(generated.files.back().name);
    } else if (known.empty()) {
      const std::string name = unused_name(type.name);
      known = root_ + "." + name;
      pending_.emplace_back(&type, name);
    }
    return known;
  }

  std::string unused_name(std::string_view hint) {
    for (std::size_t i = 1;; ++i) {
      std::string name = hint.empty() ? "M" + std::to_string(i) : std::string(hint) + (i == 1 ? "" : std::to_string(i));
      if (taken_.insert(name).second) return name;
    }
  }

  std::string root_;             // ".Arguments", then ".Result"
  std::set<std::string> taken_;  // names in its scope
  std::map<const TypeSchema*, std::string> names_;
  std::vector<std::pair<const TypeSchema*, std::string>> pending_;
  std::vector<GeneratedFile> files_;
  std::set<std::string> file_names_;
  std::set<std::string> dependencies_;
};

}  // namespace

// "… [with kaido::detail::MemberAddress ...M = {kaido::detail::MemberAddress{((const void*)(& … geo::Point::x))}, …}]"
// from g++, "… [M = <{&kUnmade.object.x}, …>]" from clang 14, "… [M = <MemberAddress{&kUnmade.object.x}, …>]" from
// later ones. What stands before each member's brace is read off the first one.
std::vector<std::string_view> cut_member_names(const char* text, std::size_t count) {
  if (text == nullptr) return {};
  std::string_view rest(text);
  constexpr std::string_view kBegin = "M = ";
  const std::size_t begin = rest.find(kBegin);
  if (begin == std::string_view::npos) return {};
  rest.remove_prefix(begin + kBegin.size());
  rest = rest.substr(0, rest.rfind('}'));  // of g++ the list's brace, else that of the last member
  if (rest.starts_with('{')) rest = rest.substr(0, rest.rfind('}'));
  if (rest.empty()) return {};
  rest.remove_prefix(1);
  const std::size_t brace = rest.find('{');
  if (brace == std::string_view::npos) return {};
  const std::string between = "}, " + std::string(rest.substr(0, brace + 1));
  std::vector<std::string_view> names;
  while (true) {
    const std::size_t stop = rest.find(between);
    std::string_view name = rest.substr(0, stop);
    while (name.ends_with(')')) name.remove_suffix(1);
    name.remove_prefix(name.find_last_of(".:") + 1);  // npos + 1: nothing stands before it
    names.push_back(name);
    if (stop == std::string_view::npos) break;
    rest.remove_prefix(stop + between.size());
  }
  if (names.size() != count) names.clear();
  return names;
}

std::string schema_descriptor(const SignatureSchema& signature, std::span<const std::string_view> names) {
  return DescriptorWriter().write(signature, names);
}

}  // namespace kaido::inline abi0::detail
