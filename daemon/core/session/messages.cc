#include "daemon/core/session/messages.h"

#include <algorithm>
#include <array>
#include <limits>

#include "daemon/core/session/mended_text.h"
#include "proto/wire/body.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {
namespace {

base::Status check_name(std::string_view what, std::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError(std::string(what) + " is empty");
  if (name.size() > wire::kMaxNameBytes) {
    return absl::InvalidArgumentError(std::string(what) + " is longer than " + std::to_string(wire::kMaxNameBytes) +
                                      " bytes");
  }
  return absl::OkStatus();
}

base::Status check_count(std::string_view what, int count, int max) {
  if (count <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(std::to_string(count) + " " + std::string(what) + " exceed the limit of " +
                                    std::to_string(max));
}

template <class Map>
base::StatusOr<std::vector<Tag>> to_tags(const Map& message) {
  KAIDO_RETURN_IF_ERROR(check_count("tags", static_cast<int>(message.size()), kMaxTagsPerMessage));
  std::vector<Tag> tags;
  for (const auto& [key, value] : message) {
    KAIDO_RETURN_IF_ERROR(check_name("a tag's key", key));
    if (value.size() > wire::kMaxNameBytes) return check_name("the value of tag " + key, value);
    tags.push_back({key, value});
  }
  // A protobuf map has no order; equal placements must be equal values.
  std::sort(tags.begin(), tags.end());
  return tags;
}

template <class Messages>
base::StatusOr<std::vector<Taint>> to_taints(const Messages& messages) {
  KAIDO_RETURN_IF_ERROR(check_count("taints", messages.size(), kMaxTaintsPerMessage));
  std::vector<Taint> taints;
  for (const v1::Taint& taint : messages) {
    for (const std::string* text : {&taint.key(), &taint.value(), &taint.effect()}) {
      if (!text->empty()) KAIDO_RETURN_IF_ERROR(check_name("a taint's text", *text));
    }
    taints.push_back({taint.key(), taint.value(), taint.effect()});
  }
  return taints;
}

void fill(v1::Taint& message, const Taint& taint) {
  message.set_key(taint.key);
  message.set_value(taint.value);
  message.set_effect(taint.effect);
}

std::uint64_t to_nanoseconds(base::Duration duration) {
  return duration.count() > 0 ? static_cast<std::uint64_t>(duration.count()) : 0;
}

void fill(v1::Function& message, const FunctionInfo& function) {
  message.set_name(function.name);
  message.set_id(function.id.value);
  message.set_fingerprint(function.fingerprint);
  message.set_signature(function.signature);
  message.set_schema(std::string(function.schema.bytes()));
  message.set_is_task(function.is_task);
}

}  // namespace

base::Duration to_duration(std::uint64_t nanoseconds) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / 4);
  return base::Duration(static_cast<std::int64_t>(std::min(nanoseconds, kMax)));
}

base::StatusOr<FunctionInfo> to_function(const v1::Function& message) {
  KAIDO_RETURN_IF_ERROR(check_name("a function's name", message.name()));
  return FunctionInfo{base::FunctionId{message.id()}, message.name(),   message.fingerprint(), message.signature(),
                      Schema(message.schema()),       message.is_task()};
}

base::StatusOr<PlacementSpec> to_placement(const v1::Prepare& message) {
  auto function = to_function(message.function());
  if (!function.ok()) return function.status();
  if (function->signature.size() > wire::kMaxSignatureBytes ||
      function->schema.bytes().size() > wire::kMaxSchemaBytes) {
    return absl::InvalidArgumentError("the signature of function " + function->name + " takes " +
                                      std::to_string(function->schema.bytes().size()) + " bytes, more than the " +
                                      std::to_string(wire::kMaxSchemaBytes) + " that one may take");
  }
  const v1::Placement& placement = message.placement();
  auto tags = to_tags(placement.tags());
  if (!tags.ok()) return tags.status();
  KAIDO_RETURN_IF_ERROR(check_count("tolerations", placement.tolerations_size(), kMaxTaintsPerMessage));
  if (!placement.node_name().empty())
    KAIDO_RETURN_IF_ERROR(check_name("the node name of a placement", placement.node_name()));
  PlacementSpec spec;
  spec.function = function->id;
  spec.function_name = function->name;
  spec.fingerprint = function->fingerprint;
  spec.signature = std::move(function->signature);
  spec.schema = std::move(function->schema);
  spec.is_task = function->is_task;
  spec.node_name = placement.node_name();
  spec.tags = *std::move(tags);
  for (const v1::Toleration& toleration : placement.tolerations()) {
    for (const std::string* text : {&toleration.key(), &toleration.value(), &toleration.effect()}) {
      if (!text->empty()) KAIDO_RETURN_IF_ERROR(check_name("a toleration's text", *text));
    }
    spec.tolerations.push_back({toleration.key(), toleration.value(), toleration.effect(), toleration.exists()});
  }
  spec.max_attempts = std::max(placement.max_attempts(), 1U);  // 0 means the same, and equal rules are equal values.
  spec.idempotent = placement.idempotent();
  spec.wait = to_duration(placement.wait_ns());
  spec.timeout = to_duration(placement.timeout_ns());
  spec.priority = placement.priority();
  return spec;
}

base::StatusOr<NodeInfo> to_node_info(const v1::NodeInfo& message) {
  const auto id = base::node_id_from_bytes(message.id());
  if (!id) return absl::InvalidArgumentError("a node id has 16 bytes, this one " + std::to_string(message.id().size()));
  KAIDO_RETURN_IF_ERROR(check_name("a node's name", message.name()));
  auto tags = to_tags(message.tags());
  if (!tags.ok()) return tags.status();
  auto taints = to_taints(message.taints());
  if (!taints.ok()) return taints.status();
  NodeInfo info;
  info.id = *id;
  info.name = message.name();
  info.life = {base::Epoch{message.epoch()}, message.nonce()};
  info.tags = *std::move(tags);
  info.taints = *std::move(taints);
  if (!message.address().empty()) KAIDO_RETURN_IF_ERROR(check_name("a node's address", message.address()));
  info.slots = message.slots();
  info.draining = message.draining();
  std::vector<FunctionInfo> functions;
  functions.reserve(static_cast<std::size_t>(message.functions_size()));
  for (const v1::Function& function : message.functions()) {
    auto checked = to_function(function);
    if (!checked.ok()) return checked.status();
    functions.push_back(*std::move(checked));
  }
  info.functions = std::move(functions);
  info.address = message.address();
  info.version = message.version();
  return info;
}

base::StatusOr<NodeInfoDelta> to_node_info_delta(const v1::NodeInfoDelta& message) {
  NodeInfoDelta delta;
  delta.base_version = message.base_version();
  delta.version = message.version();
  for (const v1::Function& function : message.offered()) {
    auto checked = to_function(function);
    if (!checked.ok()) return checked.status();
    delta.offered.push_back(*std::move(checked));
  }
  for (const std::uint64_t id : message.withdrawn()) delta.withdrawn.push_back(base::FunctionId{id});
  auto tags = to_tags(message.tags());
  if (!tags.ok()) return tags.status();
  delta.tags = *std::move(tags);
  delta.tags_removed.assign(message.tags_removed().begin(), message.tags_removed().end());
  if (message.has_taints()) {
    auto taints = to_taints(message.taints().taints());
    if (!taints.ok()) return taints.status();
    delta.taints = *std::move(taints);
  }
  if (message.has_slots()) delta.slots = message.slots();
  if (message.has_draining()) delta.draining = message.draining();
  if (message.has_address()) {
    if (!message.address().empty()) KAIDO_RETURN_IF_ERROR(check_name("a node's address", message.address()));
    delta.address = message.address();
  }
  return delta;
}

base::Status check_sizes(const NodeInfo& info) {
  KAIDO_RETURN_IF_ERROR(check_count("tags", static_cast<int>(info.tags.size()), kMaxTagsPerMessage));
  constexpr std::size_t kFunctionBytes = 32;  // its id, its fingerprint, and what encoding adds
  const std::size_t bytes = info.functions.size() * kFunctionBytes + info.functions.text_bytes();
  if (bytes <= kMaxFunctionsBytes) return absl::OkStatus();
  return absl::ResourceExhaustedError("the functions of node " + info.name + " take " + std::to_string(bytes) +
                                      " bytes, more than the " + std::to_string(kMaxFunctionsBytes) +
                                      " that are taken of one node");
}

TaskError to_task_error(const v1::ResultError& message) {
  TaskError error;
  error.message = mended_text(message.message(), kMaxErrorTextBytes);
  error.exception_type = mended_text(message.exception_type(), wire::kMaxNameBytes);
  error.node = mended_text(message.node(), wire::kMaxNameBytes);
  error.attempt = message.attempt();
  error.retry_after = to_duration(message.retry_after_ns());
  std::size_t reason_bytes = 0;
  for (const v1::NodeReason& reason : message.reasons()) {
    NodeReason mended{mended_text(reason.node(), wire::kMaxNameBytes),
                      mended_text(reason.reason(), kMaxErrorTextBytes)};
    reason_bytes += sizeof mended + mended.node.size() + mended.reason.size();
    if (error.reasons.size() == kMaxReasonsPerError || reason_bytes > kMaxReasonBytes) break;
    error.reasons.push_back(std::move(mended));
  }
  return error;
}

std::size_t metadata_bytes_max(wire::FrameKind kind) {
  switch (kind) {
    case wire::FrameKind::kNodeInfo:
    case wire::FrameKind::kNodeInfoDelta:
      return wire::kMaxMetadataBytes;
    case wire::FrameKind::kRegister:
      return 2 * wire::kMaxFunctionBytesPerApp;
    case wire::FrameKind::kPrepare:
      return 512U << 10;
    default:
      return 256U << 10;
  }
}

base::Status too_much_metadata(const wire::FrameView& frame) {
  return absl::InvalidArgumentError("the metadata of a " + std::string(wire::name(frame.header.kind)) +
                                    " frame takes " + std::to_string(frame.metadata.size()) + " bytes; at most " +
                                    std::to_string(metadata_bytes_max(frame.header.kind)) + " are read");
}

TaskResult to_failure(const wire::FrameView& frame, std::optional<wire::Outcome> outcome) {
  TaskError error;
  if (auto message = parse_metadata<v1::ResultError>(frame); message.ok()) {
    error = to_task_error(*message);
  } else {
    error.message = "what went wrong cannot be read: " + std::string(message.status().message());
  }
  if (!outcome) {
    error.message =
        "unknown status " + std::to_string(frame.header.template_or_status) + " in a result: " + error.message;
  }
  return {outcome.value_or(wire::Outcome::kInternal), make_error(std::move(error)), {}};
}

TaskResult failure_of(const Payload& payload, std::string_view what, wire::Outcome if_lost) {
  const wire::BodyFailure failure = payload.body()->failure();
  const bool is_bound = failure == wire::BodyFailure::kTooManyStreams || failure == wire::BodyFailure::kNoMemory;
  const wire::Outcome outcome = failure == wire::BodyFailure::kTooLarge ? wire::Outcome::kInvalidArgument
                                : is_bound                              ? wire::Outcome::kRejected
                                                                        : if_lost;
  return {outcome,
          make_error({.message = std::string(what) + " of " + std::to_string(payload.size()) +
                                 " bytes did not all come: " + std::string(wire::name(failure))}),
          {}};
}

v1::Prepare to_message(const PlacementSpec& spec) {
  v1::Prepare message;
  v1::Function& function = *message.mutable_function();
  function.set_name(spec.function_name);
  function.set_id(spec.function.value);
  function.set_fingerprint(spec.fingerprint);
  function.set_signature(spec.signature);
  function.set_schema(std::string(spec.schema.bytes()));
  function.set_is_task(spec.is_task);
  v1::Placement& placement = *message.mutable_placement();
  placement.set_node_name(spec.node_name);
  for (const Tag& tag : spec.tags) (*placement.mutable_tags())[tag.key] = tag.value;
  for (const Toleration& toleration : spec.tolerations) {
    v1::Toleration& added = *placement.add_tolerations();
    added.set_key(toleration.key);
    added.set_value(toleration.value);
    added.set_effect(toleration.effect);
    added.set_exists(toleration.exists);
  }
  placement.set_max_attempts(spec.max_attempts);
  placement.set_idempotent(spec.idempotent);
  placement.set_wait_ns(to_nanoseconds(spec.wait));
  placement.set_timeout_ns(to_nanoseconds(spec.timeout));
  placement.set_priority(spec.priority);
  return message;
}

v1::NodeInfo to_message(const NodeInfo& info) {
  v1::NodeInfo message;
  message.set_id(base::to_bytes(info.id));
  message.set_name(info.name);
  message.set_epoch(info.life.epoch.value);
  message.set_nonce(info.life.nonce);
  for (const Tag& tag : info.tags) (*message.mutable_tags())[tag.key] = tag.value;
  for (const Taint& taint : info.taints) fill(*message.add_taints(), taint);
  message.set_slots(info.slots);
  message.set_draining(info.draining);
  for (const FunctionInfo& function : info.functions) fill(*message.add_functions(), function);
  message.set_address(info.address);
  message.set_version(info.version);
  return message;
}

v1::NodeInfoDelta to_message(const NodeInfoDelta& delta) {
  v1::NodeInfoDelta message;
  message.set_base_version(delta.base_version);
  message.set_version(delta.version);
  for (const FunctionInfo& function : delta.offered) fill(*message.add_offered(), function);
  for (const base::FunctionId id : delta.withdrawn) message.add_withdrawn(id.value);
  for (const Tag& tag : delta.tags) (*message.mutable_tags())[tag.key] = tag.value;
  for (const std::string& key : delta.tags_removed) message.add_tags_removed(key);
  if (delta.taints) {
    v1::Taints& taints = *message.mutable_taints();
    for (const Taint& taint : *delta.taints) fill(*taints.add_taints(), taint);
  }
  if (delta.slots) message.set_slots(*delta.slots);
  if (delta.draining) message.set_draining(*delta.draining);
  if (delta.address) message.set_address(*delta.address);
  return message;
}

v1::ResultError to_message(const TaskError& error) {
  v1::ResultError message;
  message.set_message(error.message);
  message.set_exception_type(error.exception_type);
  message.set_node(error.node);
  message.set_attempt(error.attempt);
  message.set_retry_after_ns(to_nanoseconds(error.retry_after));
  for (const NodeReason& reason : error.reasons) {
    v1::NodeReason& added = *message.add_reasons();
    added.set_node(reason.node);
    added.set_reason(reason.reason);
  }
  return message;
}

namespace {

constexpr std::array kRedirectReasons = {RedirectReason::kMismatch, RedirectReason::kNotOffered,
                                         RedirectReason::kDraining, RedirectReason::kQueueFull,
                                         RedirectReason::kUnreachable};

}  // namespace

v1::RedirectReason to_message(RedirectReason reason, base::Duration retry_after) {
  v1::RedirectReason message;
  message.set_reason(std::string(name(reason)));
  message.set_full(reason == RedirectReason::kQueueFull);
  message.set_retry_after_ns(to_nanoseconds(retry_after));
  return message;
}

RedirectReason to_redirect_reason(const v1::RedirectReason& message) {
  const auto found = std::find_if(kRedirectReasons.begin(), kRedirectReasons.end(),
                                  [&](RedirectReason reason) { return name(reason) == message.reason(); });
  if (found != kRedirectReasons.end()) return *found;
  return message.full() ? RedirectReason::kQueueFull : RedirectReason::kMismatch;
}

}  // namespace kaido::daemon
