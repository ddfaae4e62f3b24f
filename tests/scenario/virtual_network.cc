// The network of VirtualCluster: links, dials, and what can go wrong with them.
#include <algorithm>

#include "daemon/core/session/messages.h"
#include "daemon/core/view/node_delta.h"
#include "proto/base/check.h"
#include "proto/wire/frame_writer.h"
#include "proto/wire/written.h"
#include "tests/scenario/virtual_cluster.h"

namespace kaido::daemon::testing {
namespace {

bool is_announcement(wire::FrameKind kind) {
  return kind == wire::FrameKind::kHello || kind == wire::FrameKind::kWelcome || kind == wire::FrameKind::kNodeInfo ||
         kind == wire::FrameKind::kNodeInfoDelta || kind == wire::FrameKind::kNodeInfoWanted;
}

// The announcement with what changed in it since.
std::string brought_up_to_date(const std::string& announcement, const std::string& changes) {
  v1::NodeInfo info;
  v1::NodeInfoDelta delta;
  KAIDO_CHECK(info.ParseFromString(announcement) && delta.ParseFromString(changes));
  const auto from = to_node_info(info);
  const auto change = to_node_info_delta(delta);
  KAIDO_CHECK(from.ok() && change.ok());
  return to_message(apply(*from, *change)).SerializeAsString();
}

bool is_work(wire::FrameKind kind) {
  switch (kind) {
    case wire::FrameKind::kCall:
    case wire::FrameKind::kQueued:
    case wire::FrameKind::kStarted:
    case wire::FrameKind::kResult:
    case wire::FrameKind::kRedirect:
    case wire::FrameKind::kCancel:
    case wire::FrameKind::kInquire:
      return true;
    default:
      return false;
  }
}

base::Status broken() { return absl::UnavailableError("the connection broke"); }

}  // namespace

// ---------------------------------------------------------------- dials

bool VirtualCluster::can_reach(std::size_t from, std::size_t to) const {
  return nodes_[from].is_up && nodes_[to].is_up && nodes_[to].listens && !cut_.contains({from, to});
}

// Whom nobody answers waits until somebody does, but for the first dial after a cut.
void VirtualCluster::dial(PendingDial dial) {
  const bool is_refused =
      refuses_.erase({dial.from, dial.to}) != 0 || (nodes_[dial.to].is_up && !nodes_[dial.to].listens);
  if (is_refused) {
    return nodes_[dial.from].machine->dial_failed(now_, dial.dial, absl::UnavailableError("nobody listens there"));
  }
  if (!can_reach(dial.from, dial.to)) return dials_.push_back(dial);
  connect(dial);
}

void VirtualCluster::connect(const PendingDial& dial) {
  NodeMachine& dialer = *nodes_[dial.from].machine;
  const ConnectionId here = dialer.peer_dialed(now_, dial.dial, "node:" + std::to_string(dial.to));
  if (here == kNoConnection) return;
  const ConnectionId there = nodes_[dial.to].machine->peer_accepted(now_, "node:" + std::to_string(dial.from));
  if (there == kNoConnection) return dialer.closed(now_, here, broken());
  const std::uint64_t id = next_link_++;
  Link& link = links_[id];
  link.ends[0].node = dial.from;
  link.ends[0].connection = here;
  link.ends[1].node = dial.to;
  link.ends[1].connection = there;
  for (int end = 0; end < 2; ++end) {
    link.ends[end].is_open = true;
    ends_[{link.ends[end].node, link.ends[end].connection.value}] = {id, end};
  }
}

void VirtualCluster::retry_dials() {
  for (const PendingDial& pending : std::exchange(dials_, {})) {
    if (nodes_[pending.from].is_up) dial(pending);
  }
}

// ---------------------------------------------------------------- frames

void VirtualCluster::send(std::size_t from, ConnectionId connection, const wire::FrameHeader& header,
                          std::string metadata, Payload payload) {
  const auto found = ends_.find({from, connection.value});
  if (found == ends_.end()) return;
  const auto [id, end] = found->second;
  Link& link = links_.at(id);
  if (header.kind == wire::FrameKind::kNodeInfo) {
    link.ends[end].announcement = metadata;
    metadata = announced(from, std::move(metadata));
  } else if (header.kind == wire::FrameKind::kNodeInfoDelta) {
    link.ends[end].announcement = brought_up_to_date(link.ends[end].announcement, metadata);
  }
  const bool is_instant = options_.instant_announcements && is_announcement(header.kind);
  const base::Duration after = is_instant ? base::Duration(0) : options_.latency;
  Flight flight{id, 1 - end, false, header, std::move(metadata), std::move(payload)};
  const Message message{header.kind, from, link.ends[1 - end].node};
  switch (fate && is_work(header.kind) ? fate(message) : Fate::kDeliver) {
    case Fate::kDrop:
      return;
    case Fate::kHold:
      held_.push_back(std::move(flight));
      return;
    case Fate::kDuplicate:
      enqueue(flight, after);
      [[fallthrough]];
    case Fate::kDeliver:
      enqueue(std::move(flight), after);
  }
}

// In the order they were sent: all that is no announcement takes the same time.
void VirtualCluster::enqueue(Flight flight, base::Duration after) {
  in_flight_.emplace(std::pair(now_ + after, flight_count_++), std::move(flight));
}

// All that arrives on a link at one instant is one stretch of bytes, as one read would find it.
bool VirtualCluster::deliver_due() {
  std::vector<std::pair<std::uint64_t, int>> touched;
  wire::FrameWriter writer;
  while (!in_flight_.empty() && in_flight_.begin()->first.first <= now_) {
    const Flight flight = std::move(in_flight_.begin()->second);
    in_flight_.erase(in_flight_.begin());
    const auto link = links_.find(flight.link);
    if (link == links_.end()) continue;
    LinkEnd& end = link->second.ends[flight.to];
    if (!end.is_open || end.has_ended) continue;
    if (flight.is_end) {
      end.has_ended = true;
    } else {
      writer.append(flight.header, wire::as_span(flight.metadata), flight.payload);
      end.arrived += wire::take_written(writer);
    }
    touched.emplace_back(flight.link, flight.to);
  }
  for (const auto& [id, to] : touched) {
    const auto link = links_.find(id);
    if (link == links_.end() || !link->second.ends[to].is_open) continue;
    read(link->second.ends[to]);
    if (link->second.ends[to].has_ended) close_end(id, to, absl::UnavailableError("the other side closed"));
  }
  return !touched.empty();
}

void VirtualCluster::close_end(std::uint64_t id, int which, const base::Status& reason) {
  Link& link = links_.at(id);
  LinkEnd& end = link.ends[which];
  if (!std::exchange(end.is_open, false)) return;
  ends_.erase({end.node, end.connection.value});
  const std::size_t node = end.node;
  const ConnectionId connection = end.connection;
  if (!link.ends[1 - which].is_open) links_.erase(id);
  if (nodes_[node].is_up) nodes_[node].machine->closed(now_, connection, reason);
}

void VirtualCluster::close_both(std::uint64_t id, const base::Status& reason) {
  for (int end = 0; end < 2 && links_.contains(id); ++end) close_end(id, end, reason);
}

std::vector<std::uint64_t> VirtualCluster::links_between(std::size_t a, std::size_t b) const {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, link] : links_) {
    const std::pair pair(link.ends[0].node, link.ends[1].node);
    if (pair == std::pair(a, b) || pair == std::pair(b, a)) ids.push_back(id);
  }
  return ids;
}

// ---------------------------------------------------------------- what goes wrong

void VirtualCluster::crash(std::size_t index) {
  Node& node = nodes_[index];
  node.is_up = false;
  node.apps.clear();
  std::erase_if(dials_, [&](const PendingDial& dial) { return dial.from == index; });
  for (auto& [id, link] : links_) {
    for (LinkEnd& end : link.ends) {
      if (end.node != index || !end.is_open) continue;
      end.is_open = false;
      ends_.erase({end.node, end.connection.value});
    }
  }
  std::erase_if(links_,
                [](const auto& entry) { return !entry.second.ends[0].is_open && !entry.second.ends[1].is_open; });
}

void VirtualCluster::restart(std::size_t index) {
  crash(index);
  for (std::size_t other = 0; other < nodes_.size(); ++other) {
    for (const std::uint64_t link : links_between(index, other)) close_both(link, broken());
  }
  pump();
  nodes_[index].info.life.epoch.value += 1;
  nodes_[index].info.life.nonce += 1000;
  boot(index);
  retry_dials();
  pump();
}

void VirtualCluster::break_links(std::size_t a, std::size_t b) {
  for (const std::uint64_t link : links_between(a, b)) close_both(link, broken());
  pump();
}

void VirtualCluster::cut(std::size_t a, std::size_t b) {
  for (const auto& pair : {std::pair(a, b), std::pair(b, a)}) {
    cut_.insert(pair);
    refuses_.insert(pair);
  }
  break_links(a, b);
}

void VirtualCluster::join(std::size_t a, std::size_t b) {
  for (const auto& pair : {std::pair(a, b), std::pair(b, a)}) {
    cut_.erase(pair);
    refuses_.erase(pair);
  }
  retry_dials();
  pump();
}

void VirtualCluster::declare_lost(std::size_t observer, std::size_t index) {
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kGoodbye;
  v1::Goodbye goodbye;
  goodbye.set_reason("the test says so");
  const std::string metadata = goodbye.SerializeAsString();
  for (const std::uint64_t id : links_between(observer, index)) {
    for (const LinkEnd& end : links_.at(id).ends) {
      if (end.node != observer || !end.is_open) continue;
      nodes_[observer].machine->frame(now_, end.connection, {header, wire::as_span(metadata), {}});
    }
  }
  pump();
}

bool VirtualCluster::replace_link(std::size_t index, std::size_t other) {
  NodeMachine& machine = *nodes_[index].machine;
  for (const NodeView& node : machine.tasks().view().nodes()) {
    if (node.info->id != nodes_[other].info.id) continue;
    const bool is_done = machine.replace_link(now_, node.index).ok();
    pump();
    return is_done;
  }
  return false;
}

void VirtualCluster::set_congested(std::size_t from, std::size_t to, bool is_congested) {
  for (const std::uint64_t id : links_between(from, to)) {
    for (const LinkEnd& end : links_.at(id).ends) {
      if (end.node != from || !end.is_open) continue;
      NodeMachine& machine = *nodes_[from].machine;
      is_congested ? machine.congested(now_, end.connection) : machine.drained(now_, end.connection);
    }
  }
  pump();
}

void VirtualCluster::release_held() {
  for (Flight& flight : std::exchange(held_, {})) enqueue(std::move(flight), options_.latency);
}

// ---------------------------------------------------------------- announcements

std::string VirtualCluster::announced(std::size_t index, std::string metadata) const {
  const auto& believed = nodes_[index].believed_tags;
  if (!believed) return metadata;
  v1::NodeInfo message;
  KAIDO_CHECK(message.ParseFromString(metadata));
  message.clear_tags();
  for (const Tag& tag : *believed) (*message.mutable_tags())[tag.key] = tag.value;
  return message.SerializeAsString();
}

void VirtualCluster::pretend(std::size_t index, std::vector<Tag> tags) {
  nodes_[index].believed_tags = std::move(tags);
  repeat_announcements(index);
}

void VirtualCluster::tell(std::size_t index) {
  nodes_[index].believed_tags.reset();
  repeat_announcements(index);
}

void VirtualCluster::repeat_announcements(std::size_t index) {
  wire::FrameHeader header;
  header.kind = wire::FrameKind::kNodeInfo;
  for (const auto& [id, link] : links_) {
    for (const LinkEnd& end : link.ends) {
      if (end.node == index && end.is_open && !end.announcement.empty()) {
        send(index, end.connection, header, end.announcement, {});
      }
    }
  }
  pump();
}

}  // namespace kaido::daemon::testing
