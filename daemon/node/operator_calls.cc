#include "daemon/node/operator_calls.h"

#include <charconv>
#include <optional>
#include <utility>

#include "proto/base/check.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {
namespace {

std::optional<std::uint64_t> from_hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

base::StatusOr<PlacementRef> OperatorCalls::prepare(const v1::CallRequest& request, base::Duration timeout) {
  const auto id = from_hex(request.version().id());
  const auto fingerprint = from_hex(request.version().fingerprint());
  if (request.function().empty() || !id || !fingerprint) {
    return absl::InvalidArgumentError("a call needs a function and the version that DescribeFunction gave");
  }
  if (request.version().schema().size() > wire::kMaxSchemaBytes) {
    return absl::InvalidArgumentError("the schema is larger than " + std::to_string(wire::kMaxSchemaBytes) + " bytes");
  }
  PlacementSpec spec;
  spec.function = base::FunctionId{*id};
  spec.function_name = request.function();
  spec.fingerprint = *fingerprint;
  spec.signature = request.version().signature();
  spec.schema = Schema(request.version().schema());
  spec.node_name = request.node();
  for (const auto& [key, value] : request.tags()) spec.tags.push_back({key, value});
  spec.timeout = timeout;
  PlacementRef placement = execution_.prepare(std::move(spec));
  if (placement == nullptr)
    return absl::ResourceExhaustedError("this node remembers too many placements; try again later");
  return placement;
}

void OperatorCalls::start(std::uint64_t id, const v1::CallRequest& request, base::Duration timeout, Done done) {
  if (calls_.size() >= kCallsMax) {
    ++counters_.refused_limit;
    return done(absl::ResourceExhaustedError(std::to_string(kCallsMax) +
                                             " calls of operators run on this node already; wait for one to end"));
  }
  const auto placement = prepare(request, timeout);
  if (!placement.ok()) return done(placement.status());
  calls_[id] = {loop_.now(), std::move(done)};
  SubmitRequest task;
  task.session = kOperatorSession;
  task.call_id = id;
  task.placement = *placement;
  task.budget = timeout;
  task.payload = std::as_bytes(std::span(request.arguments()));
  KAIDO_CHECK(execution_.submit(task));  // no id comes twice
}

void OperatorCalls::cancel(std::uint64_t id) {
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  call->second.done = nullptr;
  execution_.cancel_call(kOperatorSession, id);
}

void OperatorCalls::deliver(std::uint64_t id, wire::Outcome outcome, const TaskError* error, Payload payload) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) return;
  const Call call = std::move(found->second);
  calls_.erase(found);
  ++counters_.ended[static_cast<std::size_t>(outcome)];
  if (call.done == nullptr) return;
  v1::CallResponse response;
  response.set_outcome(std::string(wire::label(outcome)));
  response.set_result(payload.data(), payload.size());
  response.set_duration_seconds(std::chrono::duration<double>(loop_.now() - call.since).count());
  if (error != nullptr) {
    response.set_message(error->message);
    response.set_exception_type(error->exception_type);
    response.set_node(error->node);
    response.set_attempt(error->attempt);
    for (const NodeReason& reason : error->reasons) {
      v1::CallFailureReason& added = *response.add_reasons();
      added.set_node(reason.node);
      added.set_reason(reason.reason);
    }
  }
  call.done(std::move(response));
}

}  // namespace kaido::daemon
