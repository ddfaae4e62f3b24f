// Whom Peers dials, and when.
#include <algorithm>
#include <utility>

#include "daemon/core/node/outbox.h"
#include "daemon/core/node/peer_link.h"
#include "daemon/core/node/peers.h"

namespace kaido::daemon {
namespace {

constexpr const char* kRoom = "peers";

}  // namespace

void Peers::start() {
  for (const auto& dialer : dialers_) dialer->hurry(now_);
  dial_due();
}

void Peers::dial(Dialer& dialer) {
  // left() has it tried again when that link is lost.
  if (dialer.id() && dialer.sought() == kNoNode && by_id_.contains(*dialer.id())) return dialer.rest();
  const DialId id{next_dial_++};
  dialer.dialing(id);
  Command& command = outbox_.command(Command::Kind::kDial);
  command.dial = id;
  command.text = dialer.address();
}

void Peers::dial_due() {
  if (closing_) return;
  for (std::size_t i = 0; i < dialers_.size(); ++i) {
    const auto due = dialers_[i]->due();
    if (due && *due <= now_) dial(*dialers_[i]);
  }
}

Dialer* Peers::find_dialer(DialId dial) const {
  const auto found = std::find_if(dialers_.begin(), dialers_.end(), [&](const auto& dialer) {
    return dialer->state() == Dialer::State::kDialing && dialer->dial() == dial;
  });
  return found == dialers_.end() ? nullptr : found->get();
}

ConnectionId Peers::dialed(DialId dial, std::string remote) {
  Dialer* const dialer = find_dialer(dial);
  if (dialer == nullptr || closing_) return kNoConnection;
  dialer->answered();
  dialer->linked();
  Link& link = add_link(PeerSession::Role::kDialer, std::move(remote), dialer);
  link.session().start();
  return link.connection();
}

void Peers::dial_failed(DialId dial, const base::Status& reason) {
  Dialer* const dialer = find_dialer(dial);
  if (dialer == nullptr) return;
  ++counters_.connects_failed;
  if (dialer->take_first_failure() && dialer->sought() == kNoNode) {
    outbox_.warn(kRoom, "peer does not answer; trying on",
                 {{"address", dialer->address()}, {"reason", std::string(reason.message())}});
  }
  dialer->wait(now_);
  // Nobody at the address of a node whose link broke: its daemon is gone, too.
  if (!absl::IsUnavailable(reason)) return;
  for (const auto& [index, node] : nodes_) {
    const bool was_there = dialer->sought() == index || dialer->id() == node.id;
    if (was_there && active(index) == nullptr) liveness_.nobody_there(now_, index);
  }
  check_liveness();
}

// Why who answers at an address is no peer: one line, until he is. Two links that cross, and a node that stops, are
// nothing to mend; a twin has a line of its own.
void Peers::note_refusal(const Link& link, const base::Status& reason) {
  Dialer* const dialer = link.dialer();
  if (dialer == nullptr || closing_ || link.is_of_twins()) return;
  if (reason.ok() || absl::IsUnavailable(reason) || absl::IsAlreadyExists(reason)) return;
  if (!dialer->take_first_refusal()) return;
  outbox_.warn(kRoom, "peer answers, and there can be no link; trying on",
               {{"address", dialer->address()}, {"reason", std::string(reason.message())}});
}

// Dialers of configured addresses that led to the node, and rest because it had a link, go on. False: none led there.
bool Peers::rouse(const base::NodeId& id, void (Dialer::*resume)(base::Instant)) {
  bool is_configured = false;
  for (const auto& dialer : dialers_) {
    if (dialer->id() != id || dialer->sought() != kNoNode) continue;
    is_configured = true;
    if (dialer->state() == Dialer::State::kResting) ((*dialer).*resume)(now_);
  }
  return is_configured;
}

// A node that lost its links is looked for where it says it listens, unless a configured address leads there anyway.
void Peers::seek(NodeIndex index, const Node& node) {
  if (closing_) return;
  const bool is_configured = rouse(node.id, &Dialer::hurry);
  const NodeView* const view = tasks_.view().find(index);
  if (is_configured || view == nullptr || view->info->address.empty()) return dial_due();
  auto dialer = std::make_unique<Dialer>(view->info->address, options_.reconnect_initial, options_.reconnect_max,
                                         options_.seed + next_dial_);
  dialer->seek(index);
  dialer->reached(node.id);
  dialer->hurry(now_);
  dialers_.push_back(std::move(dialer));
  dial_due();
}

void Peers::stop_seeking(NodeIndex index) {
  std::erase_if(dialers_, [&](const auto& dialer) {
    if (dialer->sought() != index) return false;
    if (dialer->state() == Dialer::State::kDialing) outbox_.command(Command::Kind::kAbandonDial).dial = dialer->dial();
    links_.for_each([&](Link& link) {
      if (link.dialer() == dialer.get()) link.forget_dialer();
    });
    return true;
  });
}

base::Status Peers::replace_link(NodeIndex index) {
  const auto node = nodes_.find(index);
  if (node == nodes_.end() || active(index) == nullptr) return absl::NotFoundError("the node is not connected");
  const NodeView* const view = tasks_.view().find(index);
  if (view->info->address.empty()) return absl::NotFoundError("the node does not say where it listens");
  stop_seeking(index);
  auto dialer = std::make_unique<Dialer>(view->info->address, options_.reconnect_initial, options_.reconnect_max,
                                         options_.seed + next_dial_);
  dialer->seek(index);
  dialer->reached(node->second.id);
  dialers_.push_back(std::move(dialer));
  dial(*dialers_.back());
  return absl::OkStatus();
}

void Peers::stop_connecting() {
  closing_ = true;
  for (const auto& dialer : dialers_) {
    if (dialer->state() == Dialer::State::kDialing) outbox_.command(Command::Kind::kAbandonDial).dial = dialer->dial();
    dialer->rest();
  }
}

}  // namespace kaido::daemon
