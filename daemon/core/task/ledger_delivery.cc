// The ledger's tasks whose result travels in chunks: from its first chunk to the end of its way.
#include <string>
#include <utility>

#include "daemon/core/task/ledger.h"
#include "proto/wire/body.h"

namespace kaido::daemon {

using base::kNever;
using wire::Outcome;

std::uint32_t Ledger::find_call(std::uint32_t session, std::uint64_t call_id) const {
  const CallTable* const calls = find_calls(session);
  return calls == nullptr ? kNone : records_.find(calls->find(call_id));
}

void Ledger::begin_delivery(std::uint32_t slot, TaskResult result) {
  Record& record = records_[slot];
  leave_node(record);
  record.state = TaskState::kDelivering;
  record.result_bytes = result.payload.size();
  record.is_cancelled = false;
  record.streamed = {};
  deadlines_.erase(slot);
  push_delivery(record, std::move(result));
}

void Ledger::delivery_lost(base::Instant now, std::uint32_t session, std::uint64_t call_id, wire::BodyFailure failure) {
  const std::uint32_t slot = find_call(session, call_id);
  if (slot == kNone || records_[slot].state != TaskState::kDelivering) return;
  const Record& record = records_[slot];
  const bool is_node_lost = record.node != kSelf && failure == wire::BodyFailure::kConnectionLost;
  TaskError why{.message = "the result of " + std::to_string(record.result_bytes) +
                           " bytes did not all come: " + std::string(wire::name(failure)),
                .node = placer_.node_name(record.node),
                .attempt = record.attempt};
  if (record.is_cancelled) return fail(slot, Outcome::kCancelled, std::move(why));
  if (record.deadline <= now) return fail(slot, Outcome::kTimedOut, std::move(why));
  if (record.deadline != kNever) arm(slot);
  attempt_lost(now, slot, is_node_lost ? Outcome::kNodeLost : Outcome::kAppLost, std::move(why));
}

void Ledger::delivery_failed(std::uint32_t session, std::uint64_t call_id, TaskResult why) {
  const std::uint32_t slot = find_call(session, call_id);
  if (slot != kNone && records_[slot].state == TaskState::kDelivering) deliver(slot, std::move(why));
}

}  // namespace kaido::daemon
