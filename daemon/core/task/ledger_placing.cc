// The ledger's tasks on their way to a node, or waiting for one.
#include <algorithm>
#include <utility>

#include "daemon/core/task/ledger.h"
#include "daemon/core/view/memory_owner.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {

using base::kNever;
using wire::Outcome;

Placer::Choice Ledger::choose(const Record& record) {
  if (record.history == nullptr) return placer_.choose(*record.placement, {});
  const History& history = *record.history;
  std::vector<NodeIndex> avoid = nodes_of(history.refused);
  avoid.insert(avoid.end(), history.failed.begin(), history.failed.end());
  const Placer::Choice elsewhere = placer_.choose(*record.placement, avoid);
  if (elsewhere.verdict == Placer::Verdict::kChosen || history.failed.empty()) return elsewhere;
  return placer_.choose(*record.placement, nodes_of(history.refused));
}

void Ledger::place(base::Instant now, std::uint32_t slot, Payload payload) {
  const Placer::Choice choice = choose(records_[slot]);
  if (choice.verdict == Placer::Verdict::kChosen) {
    send(now, slot, choice, std::move(payload));
  } else {
    wait_or_fail(now, slot, choice.verdict, payload);
  }
}

void Ledger::send(base::Instant now, std::uint32_t slot, const Placer::Choice& choice, Payload payload) {
  Record& record = records_[slot];
  record.state = TaskState::kAssigned;
  record.node = choice.node;
  record.node_life = choice.life;
  ++record.attempt;
  if (++record.starts > 1) ++counters_.retries;
  ++counters_.attempts_sent;
  placer_.attempt_sent(choice.node);
  LedgerEffect& effect = effects_.push();
  effect.kind = LedgerEffect::Kind::kSendAttempt;
  effect.node = choice.node;
  effect.attempt = record.attempt;
  effect.session = record.session;
  effect.call_id = record.call_id;
  effect.sequence = records_.handle(slot);
  effect.placement = record.placement;
  effect.budget = budget_left(now, record);
  effect.trace = record.trace;
  if (!payload.is_whole() || payload.size() > wire::kChunkBytes) [[unlikely]]
    record.streamed = payload;
  if (record.kept.is_set()) payload = record.kept.payload();
  effect.payload = std::move(payload);
}

// A refusal stands for what the node was when it came. What it says later is news, and so is that it was seen not to
// fit, whatever it says then: an app came back, or the node did.
void Ledger::forget_refusals(Record& record) const {
  if (record.history == nullptr) return;
  std::erase_if(record.history->refused, [&](const Refusal& refusal) {
    return refusal.said != placer_.said(refusal.node) || !placer_.fits(*record.placement, refusal.node);
  });
}

std::vector<NodeIndex> Ledger::nodes_of(const std::vector<Refusal>& refusals) {
  std::vector<NodeIndex> nodes;
  nodes.reserve(refusals.size());
  for (const Refusal& refusal : refusals) nodes.push_back(refusal.node);
  return nodes;
}

void Ledger::wait_or_fail(base::Instant now, std::uint32_t slot, Placer::Verdict verdict, Payload payload) {
  Record& record = records_[slot];
  const base::Duration wait = std::max(record.placement->spec().wait, settles_at_ - now);
  // A full node says when to come back; the view will not change for it, so waiting here would be in vain.
  const bool some_full = record.history != nullptr && record.history->some_full;
  if (record.wait_until == kNever && wait > base::Duration::zero()) record.wait_until = base::after(now, wait);
  if (record.wait_until == kNever || some_full || record.wait_until <= now) return fail_unplaced(slot, verdict);
  const MemoryOwner owner = memory_owner_of_connection(record.session);
  if (!waiting_shares_.has_room(owner)) {
    ++counters_.waiting_full;
    return fail(slot, Outcome::kRejected,
                {.message = "no node fits now, and " + std::to_string(waiting_.size()) +
                            " tasks wait for one already, near what the node, or this app alone, may have; try again "
                            "later",
                 .retry_after = options_.retry_after,
                 .reasons = placer_.explain(*record.placement, {})});
  }
  if (!record.kept.is_set() && !keep(slot, payload)) return;
  ++counters_.waited;
  forget_refusals(record);
  record.waiting_at = static_cast<std::uint32_t>(waiting_.size());
  waiting_.push_back(slot);
  waiting_shares_.take(owner);
  arm(slot);
}

void Ledger::fail_unplaced(std::uint32_t slot, Placer::Verdict verdict) {
  Record& record = records_[slot];
  const PlacementSpec& spec = record.placement->spec();
  const std::string function = spec.function_name.empty() ? "the function" : spec.function_name;
  if (record.history != nullptr && record.history->loss != Outcome::kSucceeded) {
    TaskError error = std::move(record.history->loss_error);
    error.message += "; no other node can run it";
    error.reasons = placer_.explain(*record.placement, nodes_of(record.history->refused));
    return fail(slot, record.history->loss, std::move(error));
  }
  if (record.history != nullptr && record.history->some_full) {
    return fail(slot, Outcome::kRejected,
                {.message = "every node that fits " + function + " is full; try again later",
                 .retry_after = record.history->retry_after,
                 .reasons = std::move(record.history->reasons)});
  }
  std::vector<NodeReason> reasons;
  if (record.history != nullptr) reasons = std::move(record.history->reasons);
  // What a node said of this task counts, and not that it would fit another one.
  for (NodeReason& reason : placer_.explain(*record.placement, {})) {
    const bool has_spoken =
        std::any_of(reasons.begin(), reasons.end(), [&](const NodeReason& known) { return known.node == reason.node; });
    if (!has_spoken) reasons.push_back(std::move(reason));
  }
  if (verdict == Placer::Verdict::kSignatureMismatch) {
    // The first of them says what differs; the others may be of other versions.
    const auto differing = std::find_if(reasons.begin(), reasons.end(), [](const NodeReason& reason) {
      return reason.reason.starts_with("signature mismatch");
    });
    const std::string what = differing == reasons.end() ? "signature mismatch of " + function : differing->reason;
    for (NodeReason& reason : reasons) {
      if (reason.reason == what) reason.reason = "the same";
    }
    return fail(slot, Outcome::kSignatureMismatch, {.message = what, .reasons = std::move(reasons)});
  }
  if (is_draining()) {
    return fail(slot, Outcome::kUnavailable,
                {.message = "the node is stopping, and no other one can run " + function + " now; submit it again",
                 .reasons = std::move(reasons)});
  }
  fail(slot, Outcome::kUnschedulable, {.message = "no node can run " + function, .reasons = std::move(reasons)});
}

void Ledger::view_changed(base::Instant now) {
  // From the back: a task that leaves is replaced by one that has been tried.
  for (std::size_t i = waiting_.size(); i-- > 0;) {
    const std::uint32_t slot = waiting_[i];
    Record& record = records_[slot];
    forget_refusals(record);
    const Placer::Choice choice = choose(record);
    if (choice.verdict != Placer::Verdict::kChosen) continue;
    stop_waiting(record);
    arm(slot);
    send(now, slot, choice, {});
  }
}

}  // namespace kaido::daemon
