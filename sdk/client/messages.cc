#include "sdk/client/messages.h"

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/version.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/kaido/v1/task.pb.h"
#include "proto/wire/handshake.h"

namespace kaido::detail {
namespace {

template <class Message>
[[nodiscard]] bool parse(std::span<const std::byte> bytes, Message& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

void fill(const FunctionFacts& facts, v1::Function& function) {
  function.set_name(std::string(facts.name));
  function.set_id(facts.id);
  function.set_fingerprint(facts.fingerprint);
  function.set_signature(facts.signature());
  function.set_schema(facts.descriptor());
}

}  // namespace

ErrorKind to_error_kind(wire::Outcome outcome) {
  switch (outcome) {
    case wire::Outcome::kPanicked:
      return ErrorKind::kPanicked;
    case wire::Outcome::kCancelled:
      return ErrorKind::kCancelled;
    case wire::Outcome::kTimedOut:
      return ErrorKind::kTimedOut;
    case wire::Outcome::kUnschedulable:
      return ErrorKind::kUnschedulable;
    case wire::Outcome::kNodeLost:
      return ErrorKind::kNodeLost;
    case wire::Outcome::kRejected:
      return ErrorKind::kRejected;
    case wire::Outcome::kUnavailable:
      return ErrorKind::kUnavailable;
    case wire::Outcome::kAppLost:
      return ErrorKind::kAppLost;
    case wire::Outcome::kSignatureMismatch:
      return ErrorKind::kSignatureMismatch;
    case wire::Outcome::kInvalidArgument:
      return ErrorKind::kInvalidArgument;
    case wire::Outcome::kSucceeded:
    case wire::Outcome::kInternal:
      break;
  }
  return ErrorKind::kInternal;
}

wire::Outcome to_outcome(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kCancelled:
      return wire::Outcome::kCancelled;
    case ErrorKind::kPanicked:
      return wire::Outcome::kPanicked;
    case ErrorKind::kTimedOut:
      return wire::Outcome::kTimedOut;
    case ErrorKind::kUnschedulable:
      return wire::Outcome::kUnschedulable;
    case ErrorKind::kNodeLost:
      return wire::Outcome::kNodeLost;
    case ErrorKind::kRejected:
      return wire::Outcome::kRejected;
    case ErrorKind::kUnavailable:
      return wire::Outcome::kUnavailable;
    case ErrorKind::kAppLost:
      return wire::Outcome::kAppLost;
    case ErrorKind::kSignatureMismatch:
      return wire::Outcome::kSignatureMismatch;
    case ErrorKind::kInvalidArgument:
      return wire::Outcome::kInvalidArgument;
    case ErrorKind::kInternal:
      break;
  }
  return wire::Outcome::kInternal;
}

std::string hello_message(const std::string& app_name) {
  v1::Hello hello;
  hello.mutable_versions()->set_min(wire::kVersions.min);
  hello.mutable_versions()->set_max(wire::kVersions.max);
  hello.mutable_versions()->set_features(wire::kFeatures);
  hello.set_app_name(app_name);
  hello.set_sdk_version(base::kVersion);
  return hello.SerializeAsString();
}

std::string register_message(const FunctionTable& functions, std::uint32_t slots) {
  v1::Register message;
  message.set_slots(slots);
  for (const FunctionEntry* entry : functions) {
    fill(*entry, *message.add_functions());
  }
  return message.SerializeAsString();
}

std::string prepare_message(const CallTarget& target, const PlacementData* rules) {
  v1::Prepare message;
  fill(target, *message.mutable_function());
  v1::Placement& placement = *message.mutable_placement();
  if (rules != nullptr) {
    placement.set_node_name(rules->node_name);
    for (const auto& [key, value] : rules->tags) (*placement.mutable_tags())[key] = value;
    placement.set_max_attempts(rules->max_attempts);
    placement.set_idempotent(rules->is_idempotent);
    placement.set_wait_ns(static_cast<std::uint64_t>(rules->wait.count()));
    placement.set_timeout_ns(static_cast<std::uint64_t>(rules->timeout.count()));
    placement.set_priority(rules->priority);
  }
  return message.SerializeAsString();
}

std::string error_message(const Error& error) {
  v1::ResultError message;
  message.set_message(error.message());
  message.set_exception_type(error.exception_type());
  message.set_retry_after_ns(static_cast<std::uint64_t>(std::chrono::nanoseconds(error.retry_after()).count()));
  for (const NodeReason& reason : error.reasons()) {
    v1::NodeReason& out = *message.add_reasons();
    out.set_node(reason.node);
    out.set_reason(reason.reason);
  }
  return message.SerializeAsString();
}

std::string goodbye_message(std::string_view reason) {
  v1::Goodbye message;
  message.set_reason(std::string(reason));
  return message.SerializeAsString();
}

Error to_error(const wire::FrameView& result) {
  const auto outcome = wire::outcome_from(result.header.template_or_status);
  v1::ResultError message;
  if (!outcome || !parse(result.metadata, message)) {
    return Error(ErrorKind::kInternal, "the node's answer has an unknown status or a malformed error");
  }
  Error error(to_error_kind(*outcome), message.message());
  if (!message.exception_type().empty()) error = std::move(error).with_exception_type(message.exception_type());
  if (!message.node().empty()) error = std::move(error).with_node(message.node());
  if (message.attempt() != 0) error = std::move(error).with_attempt(message.attempt());
  if (message.retry_after_ns() != 0) {
    const std::chrono::nanoseconds delay(static_cast<std::int64_t>(message.retry_after_ns()));
    error = std::move(error).with_retry_after(std::chrono::ceil<std::chrono::milliseconds>(delay));
  }
  if (message.reasons_size() != 0) {
    std::vector<NodeReason> reasons;
    for (const v1::NodeReason& reason : message.reasons()) reasons.emplace_back(reason.node(), reason.reason());
    error = std::move(error).with_reasons(std::move(reasons));
  }
  return error;
}

std::string task_text(std::span<const std::byte> call_info) {
  v1::CallInfo info;
  if (call_info.empty() || !parse(call_info, info)) return {};
  const auto origin = base::node_id_from_bytes(info.origin());
  if (!origin) return {};
  return base::to_string(base::TaskId{*origin, base::Epoch{info.epoch()}, info.sequence()});
}

}  // namespace kaido::detail
