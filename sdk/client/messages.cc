#include "sdk/client/messages.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <kaido/time.h>

#include "proto/base/ids.h"
#include "proto/base/version.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/kaido/v1/task.pb.h"
#include "proto/wire/handshake.h"
#include "proto/wire/limits.h"
#include "sdk/function/text.h"

namespace kaido::inline abi0::detail {
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

/// For a reason that was too many.
constexpr std::size_t kMaxReasonBytes = 1U << 10;

void fill_reasons(const Error& error, v1::ResultError& message) {
  std::size_t bytes = 0;
  int count = 0;
  for (const NodeReason& reason : error.reasons()) {
    std::string node = mend_text(reason.node, wire::kMaxNameBytes);
    std::string why = mend_text(reason.reason, kMaxReasonBytes);
    bytes += node.size() + why.size();
    v1::NodeReason& out = *message.add_reasons();
    if (bytes > kMaxReasonsBytes) {
      out.set_node("…");
      out.set_reason(std::to_string(error.reasons().size() - static_cast<std::size_t>(count)) + " more nodes left out");
      return;
    }
    out.set_node(std::move(node));
    out.set_reason(std::move(why));
    ++count;
  }
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
  hello.set_app_name(mend_text(app_name, wire::kMaxNameBytes));
  hello.set_sdk_version(base::kVersion);
  return hello.SerializeAsString();
}

std::string register_message(const FunctionTable& functions, SlotCounts slots) {
  v1::Register message;
  bool has_tasks = false;
  for (const FunctionEntry* entry : functions) {
    v1::Function& function = *message.add_functions();
    fill(*entry, function);
    function.set_is_task(entry->start != nullptr);
    has_tasks = has_tasks || entry->start != nullptr;
  }
  message.set_slots(has_tasks ? std::max(slots.compute, slots.task) : slots.compute);
  message.set_compute_slots(slots.compute);
  message.set_task_slots(slots.task);
  return message.SerializeAsString();
}

std::optional<std::string> placement_problem(const CallTarget& target, const PlacementRules* rules) {
  if (auto problem = name_problem("the function", target.name)) return problem;
  return rules == nullptr ? std::nullopt : rules->problem();
}

std::string prepare_message(const CallTarget& target, const PlacementRules* rules) {
  v1::Prepare message;
  fill(target, *message.mutable_function());
  std::string bytes = message.SerializeAsString();
  if (rules != nullptr) rules->append_to(bytes, v1::Prepare::kPlacementFieldNumber);
  return bytes;
}

std::string error_message(const Error& error) {
  v1::ResultError message;
  message.set_message(mend_text(error.message(), kMaxErrorTextBytes));
  message.set_exception_type(mend_text(error.exception_type(), kMaxExceptionTypeBytes));
  const Duration delay = std::max(saturate(error.retry_after()), Duration::zero());
  message.set_retry_after_ns(static_cast<std::uint64_t>(delay.count()));
  fill_reasons(error, message);
  return message.SerializeAsString();
}

std::string goodbye_message(std::string_view reason) {
  v1::Goodbye message;
  message.set_reason(mend_text(reason, kMaxExceptionTypeBytes));
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
    constexpr std::uint64_t kLongest = std::numeric_limits<std::int64_t>::max() / 2;
    const Duration delay(static_cast<std::int64_t>(std::min(message.retry_after_ns(), kLongest)));
    error = std::move(error).with_retry_after(std::chrono::ceil<std::chrono::milliseconds>(delay));
  }
  if (message.reasons_size() != 0) {
    std::vector<NodeReason> reasons;
    for (const v1::NodeReason& reason : message.reasons()) reasons.emplace_back(reason.node(), reason.reason());
    error = std::move(error).with_reasons(std::move(reasons));
  }
  return error;
}

Error to_error(const FunctionFacts& function, wire::BodyFailure failure) {
  const std::string text = std::string(function.name) + ": a large payload was cut off: " + std::string(name(failure));
  switch (failure) {
    case wire::BodyFailure::kTooLarge:
      return Error(ErrorKind::kInvalidArgument, text);
    case wire::BodyFailure::kTooManyStreams:
      return Error(ErrorKind::kRejected, text).with_retry_after(std::chrono::milliseconds(10));
    default:
      return Error(ErrorKind::kUnavailable, text);
  }
}

std::string task_text(std::span<const std::byte> call_info) {
  v1::CallInfo info;
  if (call_info.empty() || !parse(call_info, info)) return {};
  const auto origin = base::node_id_from_bytes(info.origin());
  if (!origin) return {};
  return base::to_string(base::TaskId{*origin, base::Epoch{info.epoch()}, info.sequence()});
}

}  // namespace kaido::inline abi0::detail
