#include "daemon/core/schema/compatibility.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include <google/protobuf/descriptor.h>

#include "daemon/core/schema/parsed_schema.h"

namespace kaido::daemon {
namespace {

namespace pb = google::protobuf;
using Difference = std::optional<std::string>;

/// Bounds on the work that somebody else's schema causes; no signature that people write comes near them. Beyond them
/// two schemas count as different.
constexpr std::size_t kMessagePairsMax = 4096;
constexpr int kDepthMax = 64;

std::string type_text(const pb::FieldDescriptor& field) {
  if (field.is_map()) {
    const pb::Descriptor& entry = *field.message_type();
    return "map<" + type_text(*entry.map_key()) + ", " + type_text(*entry.map_value()) + ">";
  }
  std::string text = field.is_repeated() ? "repeated " : field.has_optional_keyword() ? "optional " : "";
  if (field.message_type() != nullptr) return text + "message " + field.message_type()->name();
  if (field.enum_type() != nullptr) return text + "enum " + field.enum_type()->name();
  return text + field.type_name();
}

/// The field of a generated message: its author goes by protobuf's rules, and its decoder is libprotobuf's.
bool is_generated(const pb::Descriptor& message, const pb::FileDescriptor& signature) {
  return message.file() != &signature;
}

int last_number(const pb::Descriptor& message) {
  int last = 0;
  for (int i = 0; i < message.field_count(); ++i) last = std::max(last, message.field(i)->number());
  return last;
}

/// The least number among the oneof's fields, by which the two sides' oneofs are matched; 0: in none.
int oneof_of(const pb::FieldDescriptor& field) {
  const pb::OneofDescriptor* oneof = field.real_containing_oneof();
  if (oneof == nullptr) return 0;
  int least = field.number();
  for (int i = 0; i < oneof->field_count(); ++i) least = std::min(least, oneof->field(i)->number());
  return least;
}

/// Where the integer types stand among those that carry the same bytes; 0: nowhere.
struct Width {
  int family = 0;
  int bits = 0;
};
Width width_of(pb::FieldDescriptor::Type type) {
  switch (type) {
    case pb::FieldDescriptor::TYPE_INT32:
      return {1, 32};
    case pb::FieldDescriptor::TYPE_INT64:
      return {1, 64};
    case pb::FieldDescriptor::TYPE_UINT32:
      return {2, 32};
    case pb::FieldDescriptor::TYPE_UINT64:
      return {2, 64};
    case pb::FieldDescriptor::TYPE_SINT32:
      return {3, 32};
    case pb::FieldDescriptor::TYPE_SINT64:
      return {3, 64};
    default:
      return {};
  }
}

bool is_text(pb::FieldDescriptor::Type type) {
  return type == pb::FieldDescriptor::TYPE_STRING || type == pb::FieldDescriptor::TYPE_BYTES;
}

/// Whether values of the one may be read as the other, as far as the types alone say.
bool are_alike(pb::FieldDescriptor::Type a, pb::FieldDescriptor::Type b) {
  const int family = width_of(a).family;
  return a == b || (is_text(a) && is_text(b)) || (family != 0 && family == width_of(b).family);
}

/// One direction: arguments go from caller to worker, the result from worker to caller.
class Comparison {
 public:
  struct Side {
    const pb::Descriptor& message;
    std::string_view name;
  };

  Comparison(Side sender, Side receiver, std::string_view top_field)
      : sender_(sender), receiver_(receiver), top_field_(top_field) {}

  Difference run() { return compare(sender_.message, receiver_.message, "", 0); }

 private:
  Difference compare(const pb::Descriptor& sent, const pb::Descriptor& received, const std::string& path, int depth);
  Difference compare(const pb::FieldDescriptor& sent, const pb::FieldDescriptor& received, const std::string& path,
                     int depth);
  Difference judge_shape(const pb::FieldDescriptor& sent, const pb::FieldDescriptor& received,
                         const std::string& path) const;
  Difference judge_alone(const pb::FieldDescriptor& field, const pb::Descriptor& other, bool is_senders,
                         const std::string& path) const;

  [[nodiscard]] std::string path_to(const pb::FieldDescriptor& field, const std::string& path) const {
    if (path.empty() && top_field_ == "result") return "result";
    const std::string kind = path.empty() ? std::string(top_field_) : path + ", field";
    return kind + " " + std::to_string(field.number()) + " (" + field.name() + ")";
  }
  [[nodiscard]] std::string differ(const pb::FieldDescriptor& sent, const pb::FieldDescriptor& received,
                                   const std::string& path, const std::string& why = {}) const {
    return path + ": " + type_text(sent) + " for the " + std::string(sender_.name) + ", " + type_text(received) +
           " for the " + std::string(receiver_.name) + (why.empty() ? "" : "; " + why);
  }
  [[nodiscard]] bool are_generated(const pb::Descriptor& sent, const pb::Descriptor& received) const {
    return is_generated(sent, *sender_.message.file()) && is_generated(received, *receiver_.message.file());
  }

  const Side sender_;
  const Side receiver_;
  const std::string_view top_field_;
  std::set<std::pair<const pb::Descriptor*, const pb::Descriptor*>> seen_;
};

// A pair that is being compared, or was, is taken to agree: if it does not, that is found where it was met first. So
// types that contain themselves end.
Difference Comparison::compare(const pb::Descriptor& sent, const pb::Descriptor& received, const std::string& path,
                               int depth) {
  if (!seen_.emplace(&sent, &received).second) return std::nullopt;
  if (seen_.size() > kMessagePairsMax || depth > kDepthMax) return path + ": too many or too deep messages to compare";
  std::set<int> numbers;
  for (int i = 0; i < sent.field_count(); ++i) numbers.insert(sent.field(i)->number());
  for (int i = 0; i < received.field_count(); ++i) numbers.insert(received.field(i)->number());
  for (const int number : numbers) {
    const pb::FieldDescriptor* ours = sent.FindFieldByNumber(number);
    const pb::FieldDescriptor* theirs = received.FindFieldByNumber(number);
    Difference difference;
    if (ours == nullptr) {
      difference = judge_alone(*theirs, sent, /*is_senders=*/false, path_to(*theirs, path));
    } else if (theirs == nullptr) {
      difference = judge_alone(*ours, received, /*is_senders=*/true, path_to(*ours, path));
    } else {
      difference = compare(*ours, *theirs, path_to(*ours, path), depth);
    }
    if (difference) return difference;
  }
  return std::nullopt;
}

Difference Comparison::compare(const pb::FieldDescriptor& sent, const pb::FieldDescriptor& received,
                               const std::string& path, int depth) {
  if (auto difference = judge_shape(sent, received, path)) return difference;
  if (sent.message_type() != nullptr && received.message_type() != nullptr) {
    return compare(*sent.message_type(), *received.message_type(), path, depth + 1);
  }
  if (!are_alike(sent.type(), received.type())) return differ(sent, received, path);
  if (width_of(sent.type()).bits > width_of(received.type()).bits &&
      is_generated(*received.containing_type(), *receiver_.message.file())) {
    return differ(sent, received, path, "a generated message would cut off what does not fit");
  }
  return std::nullopt;
}

Difference Comparison::judge_shape(const pb::FieldDescriptor& sent, const pb::FieldDescriptor& received,
                                   const std::string& path) const {
  if (sent.is_map() != received.is_map() || sent.is_repeated() != received.is_repeated()) {
    return differ(sent, received, path);
  }
  if (sent.is_repeated()) return std::nullopt;
  const bool generated = are_generated(*sent.containing_type(), *received.containing_type());
  if (!generated && oneof_of(sent) != oneof_of(received)) {
    return differ(sent, received, path, "they are not alternatives of the same choice");
  }
  const bool is_message = sent.message_type() != nullptr && received.message_type() != nullptr;
  const bool presence_differs = is_message
                                    ? !generated && sent.has_optional_keyword() != received.has_optional_keyword()
                                    : sent.has_presence() != received.has_presence();
  if (!presence_differs) return std::nullopt;
  // Of a string and a struct nobody wants to know how absent ones look.
  if (!are_alike(sent.type(), received.type())) return differ(sent, received, path);
  return differ(sent, received, path, "zero and absent would change places");
}

Difference Comparison::judge_alone(const pb::FieldDescriptor& field, const pb::Descriptor& other, bool is_senders,
                                   const std::string& path) const {
  const std::string known = path + ": " + type_text(field) + ", which only the " +
                            std::string(is_senders ? sender_.name : receiver_.name) + " knows, ";
  const bool generated =
      is_senders ? are_generated(*field.containing_type(), other) : are_generated(other, *field.containing_type());
  if (generated) {
    if (!field.is_required()) return std::nullopt;
    return known + "is required";
  }
  if (field.real_containing_oneof() != nullptr) return known + "is an alternative of a choice";
  if (!field.is_repeated() && !field.has_optional_keyword()) return known + "is neither optional nor repeated";
  if (field.number() < last_number(other)) return known + "is not behind all that both know";
  return std::nullopt;
}

Difference malformed(std::string_view side, const base::Status& why) {
  return "the " + std::string(side) + " has a " + std::string(why.message());
}

}  // namespace

Difference find_incompatibility(const Schema& caller, const Schema& worker) {
  if (caller.empty()) return "the caller states no schema to compare";
  if (worker.empty()) return "the worker states no schema to compare";
  if (caller == worker) return std::nullopt;
  const auto at_caller = ParsedSchema::parse(caller.bytes());
  if (!at_caller.ok()) return malformed("caller", at_caller.status());
  const auto at_worker = ParsedSchema::parse(worker.bytes());
  if (!at_worker.ok()) return malformed("worker", at_worker.status());
  Comparison arguments({at_caller->arguments(), "caller"}, {at_worker->arguments(), "worker"}, "argument");
  if (auto difference = arguments.run()) return difference;
  return Comparison({at_worker->result(), "worker"}, {at_caller->result(), "caller"}, "result").run();
}

}  // namespace kaido::daemon
