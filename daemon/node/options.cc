#include "daemon/node/options.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "proto/wire/frame.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {
namespace {

/// The part of limits.memory that errors may take where answers had no room: at one connection, beyond its queue.
constexpr std::size_t kReserveDivisor = 8;

std::string_view effect_name(TaintEffect effect) {
  switch (effect) {
    case TaintEffect::kNoSchedule:
      return "NoSchedule";
    case TaintEffect::kPreferNoSchedule:
      return "PreferNoSchedule";
    case TaintEffect::kNoExecute:
      return "NoExecute";
  }
  return "NoSchedule";
}

/// Every random choice of a node comes from who it is and how often it has started.
std::uint64_t seed_of(const Identity& identity) {
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < sizeof id; ++i) id = (id << 8) | identity.id.bytes[i];
  return id ^ (identity.epoch.value * 0x9e3779b97f4a7c15ULL);
}

// An error for each call of one app or peer, if none of their answers has room.
std::size_t reserve_for(const Settings& settings, std::size_t calls) {
  return std::max(wire::kReservedQueuedBytes,
                  std::min(calls * (wire::kHeaderBytes + wire::kLeastErrorBytes),
                           static_cast<std::size_t>(settings.limits.memory.count) / kReserveDivisor));
}

ListenOptions listen_options(const Settings& settings, std::uint32_t connections_max, std::uint32_t headroom,
                             std::size_t calls) {
  ListenOptions options;
  options.connections_max = connections_max;
  options.handshake_timeout = settings.timeouts.handshake;
  options.connection.frame_bytes_max = settings.limits.max_frame_bytes.count + headroom;
  // The largest frame fits into the smallest queue with what relays add to it.
  options.connection.queued_bytes_max = settings.limits.queued_bytes_per_connection.count + wire::kFrameHeadroomBytes;
  options.connection.reserved_bytes = reserve_for(settings, calls);
  options.connection.stalled_after = settings.timeouts.stalled;
  return options;
}

}  // namespace

std::optional<std::string> plaintext_warning(const Settings& settings) {
  const std::string what = "peers speak plain text (security.insecure_plaintext): ";
  const auto is_tcp = [](const AddressSetting& address) { return address.kind == AddressSetting::Kind::kTcp; };
  const auto is_far = [&](const AddressSetting& address) { return is_tcp(address) && !address.is_local(); };
  const auto& peer = settings.listen.peer;
  if (peer && is_tcp(*peer)) {
    const std::string who = peer->is_local() ? "every user of this host" : "whoever reaches " + to_string(*peer);
    return what + who + " can pose as a node, call every function and forge results";
  }
  // One that only dials trusts whoever answers there.
  const std::vector<AddressSetting>& peers = settings.peers;
  auto dialed = std::find_if(peers.begin(), peers.end(), is_far);
  if (dialed == peers.end()) dialed = std::find_if(peers.begin(), peers.end(), is_tcp);
  if (dialed == peers.end()) return std::nullopt;
  const std::string place = "at " + to_string(*dialed) + (peers.size() > 1 ? " or another of \"peers\"" : "");
  const std::string who = dialed->is_local() ? "whichever user of this host listens " + place
                                             : "whoever answers " + place + ", or is on the way there,";
  return what + who + " can pose as a node, call every function and forge results";
}

Address to_address(const AddressSetting& setting) {
  if (setting.kind == AddressSetting::Kind::kUnix) return Address::unix_socket(setting.path);
  return Address::tcp(setting.host, setting.port);
}

namespace {

AppSessionOptions app_options(const Settings& settings, const Identity& identity) {
  AppSessionOptions options;
  options.node_id = identity.id;
  options.node_name = settings.node.name;
  options.epoch = identity.epoch;
  options.credits = settings.limits.calls_per_app;
  options.templates_max = settings.limits.templates_per_connection;
  options.template_bytes_max = settings.limits.template_bytes_per_connection.count;
  options.max_frame_bytes = static_cast<std::uint32_t>(settings.limits.max_frame_bytes.count);
  options.handshake_timeout = settings.timeouts.handshake;
  options.ping_interval = settings.timeouts.ping_interval;
  options.silence_timeout = settings.timeouts.app;
  return options;
}

PeersOptions peer_options(const Settings& settings, const Identity& identity, const base::Life& life) {
  PeersOptions options;
  for (const AddressSetting& peer : settings.peers) options.addresses.push_back(to_address(peer).to_string());
  options.session.node_id = identity.id;
  options.session.node_name = settings.node.name;
  options.session.life = life;
  options.session.templates_max = settings.limits.templates_per_connection;
  options.session.template_bytes_max = settings.limits.template_bytes_per_connection.count;
  options.session.max_frame_bytes = static_cast<std::uint32_t>(settings.limits.max_frame_bytes.count);
  options.session.handshake_timeout = settings.timeouts.handshake;
  options.session.ping_interval = settings.timeouts.ping_interval;
  options.session.silence_timeout = settings.timeouts.peer;
  options.reconnect_initial = settings.timeouts.reconnect_initial;
  options.reconnect_max = settings.timeouts.reconnect_max;
  options.reconnect_grace = settings.timeouts.reconnect_grace;
  options.seed = seed_of(identity) + 1;
  return options;
}

TaskFlowOptions task_options(const Settings& settings, const Identity& identity, const base::Life& life) {
  TaskFlowOptions options;
  options.self.id = identity.id;
  options.self.name = settings.node.name;
  options.self.life = life;
  for (const auto& [key, value] : settings.node.tags) options.self.tags.push_back({key, value});
  for (const TaintSetting& taint : settings.node.taints) {
    options.self.taints.push_back({taint.key, taint.value, std::string(effect_name(taint.effect))});
  }
  options.self.slots = settings.node.slots;
  options.seed = seed_of(identity);
  options.registry.functions_per_app_max = settings.limits.functions_per_app;
  options.ledger.tasks_max = settings.limits.calls_per_node;
  options.settle = settings.timeouts.settle;
  options.executor.attempts_max = settings.limits.calls_per_node;
  options.executor.attempts_per_origin_max = settings.limits.calls_per_peer;
  options.executor.queue_max = settings.limits.queue_length;
  options.executor.slots_max = settings.node.slots;
  options.forget_after = settings.timeouts.forget_node;
  return options;
}

}  // namespace

NodeMachineOptions machine_options(const Settings& settings, const Identity& identity, const FreshNumbers& fresh) {
  const base::Life life{identity.epoch, fresh.nonce};
  NodeMachineOptions options;
  options.tasks = task_options(settings, identity, life);
  options.tasks.executor.hash_seed = fresh.hash_seed;
  options.apps = app_options(settings, identity);
  options.peers = peer_options(settings, identity, life);
  options.memory_bytes = settings.limits.memory.count;
  return options;
}

LinksOptions links_options(const Settings& settings) {
  LinksOptions options;
  options.app_address = Address::unix_socket(settings.listen.app_socket);
  options.app_listen = listen_options(settings, settings.limits.max_apps, 0, settings.limits.calls_per_app);
  options.app_listen.unix_mode = settings.listen.app_socket_mode;
  if (settings.listen.peer) options.peer_address = to_address(*settings.listen.peer);
  if (settings.listen.advertise) options.advertise = to_address(*settings.listen.advertise);
  options.peer_listen =
      listen_options(settings, settings.limits.max_peers, wire::kFrameHeadroomBytes, settings.limits.calls_per_peer);
  options.connect_timeout = settings.timeouts.handshake;
  return options;
}

}  // namespace kaido::daemon
