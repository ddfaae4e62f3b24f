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
  PlacementRef placement = machine_.prepare(std::move(spec));
  if (placement == nullptr)
    return absl::ResourceExhaustedError(
        "this node, or its operators alone, keep as many placements as they may; try again later");
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
  machine_.call(loop_.now(), id, *placement, timeout, Payload::copy_of(wire::as_span(request.arguments())));
}

void OperatorCalls::cancel(std::uint64_t id) {
  const auto call = calls_.find(id);
  if (call == calls_.end()) return;
  call->second.done = nullptr;
  if (call->second.result != nullptr) {
    calls_.erase(call);  // its task has ended; only its result was on its way
    return;
  }
  machine_.cancel_call(loop_.now(), id);
}

void OperatorCalls::ping(NodeIndex node, PingDone done) {
  if (pings_.size() >= kPingsMax) {
    return done(absl::ResourceExhaustedError(std::to_string(kPingsMax) + " pings are under way; wait for one to end"));
  }
  const std::uint64_t id = next_ping_++;
  pings_[id] = std::move(done);
  machine_.ping(loop_.now(), node, id);
}

void OperatorCalls::ponged(std::uint64_t id, const base::StatusOr<base::Duration>& time) {
  const auto found = pings_.find(id);
  if (found == pings_.end()) return;
  const PingDone done = std::move(found->second);
  pings_.erase(found);
  done(time);
}

void OperatorCalls::ended(std::uint64_t id, TaskResult result) {
  if (!calls_.contains(id)) return;
  if (!result.payload.is_whole()) return gather(id, std::move(result.payload));
  finish(id, result.outcome, result.error, wire::as_text(result.payload.bytes()));
}

void OperatorCalls::gather(std::uint64_t id, wire::Payload payload) {
  if (payload.size() > kResultBytesMax) {
    const auto error =
        make_error({.message = "the result takes " + std::to_string(payload.size()) + " bytes, more than the " +
                               std::to_string(kResultBytesMax) + " that an operator's call may bring back"});
    return finish(id, wire::Outcome::kRejected, error, {});
  }
  Call& call = calls_.at(id);
  call.result = std::make_unique<GatheredPayload>(std::move(payload), [this, id](std::optional<std::string> bytes) {
    // In a turn of its own: this is called from inside the payload, which finish() lets go.
    loop_.post([this, id, bytes = std::move(bytes)] {
      if (!calls_.contains(id)) return;
      if (bytes) return finish(id, wire::Outcome::kSucceeded, nullptr, *bytes);
      const auto error = make_error({.message = "the worker app was lost while its result was on its way"});
      finish(id, wire::Outcome::kAppLost, error, {});
    });
  });
  call.result->start();
}

void OperatorCalls::finish(std::uint64_t id, wire::Outcome outcome, const TaskErrorRef& error,
                           std::string_view result) {
  const auto found = calls_.find(id);
  const Call call = std::move(found->second);
  calls_.erase(found);
  ++counters_.ended[static_cast<std::size_t>(outcome)];
  if (call.done == nullptr) return;
  v1::CallResponse response;
  response.set_outcome(std::string(wire::label(outcome)));
  response.set_result(std::string(result));
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
