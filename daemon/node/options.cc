#include "daemon/node/options.h"

#include <algorithm>
#include <string_view>

#include "proto/wire/limits.h"

namespace kaido::daemon {
namespace {

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
  return std::hash<base::NodeId>{}(identity.id) ^ (identity.epoch.value * 0x9e3779b97f4a7c15ULL);
}

ListenOptions listen_options(const Settings& settings, std::uint32_t connections_max, std::uint32_t headroom) {
  ListenOptions options;
  options.connections_max = connections_max;
  options.handshake_timeout = settings.timeouts.handshake;
  options.connection.frame_bytes_max = settings.limits.max_frame_bytes.count + headroom;
  options.connection.queued_bytes_max = settings.limits.queued_bytes_per_connection.count;
  return options;
}

}  // namespace

Address to_address(const AddressSetting& setting) {
  if (setting.kind == AddressSetting::Kind::kUnix) return Address::unix_socket(setting.path);
  return Address::tcp(setting.host, setting.port);
}

AppServerOptions app_server_options(const Settings& settings, const Identity& identity) {
  AppServerOptions options;
  options.address = Address::unix_socket(settings.listen.app_socket);
  options.listen = listen_options(settings, settings.limits.max_apps, 0);
  options.listen.unix_mode = settings.listen.app_socket_mode;
  options.session.node_id = identity.id;
  options.session.node_name = settings.node.name;
  options.session.epoch = identity.epoch;
  options.session.credits = settings.limits.calls_per_app;
  options.session.templates_max = settings.limits.templates_per_connection;
  options.session.max_frame_bytes = static_cast<std::uint32_t>(settings.limits.max_frame_bytes.count);
  options.session.handshake_timeout = settings.timeouts.handshake;
  return options;
}

PeerMeshOptions peer_mesh_options(const Settings& settings, const Identity& identity) {
  PeerMeshOptions options;
  if (settings.listen.peer) options.listen = to_address(*settings.listen.peer);
  options.listen_options = listen_options(settings, settings.limits.max_peers, wire::kFrameHeadroomBytes);
  for (const AddressSetting& peer : settings.peers) options.peers.push_back(to_address(peer));
  options.session.node_id = identity.id;
  options.session.node_name = settings.node.name;
  options.session.epoch = identity.epoch;
  options.session.templates_max = settings.limits.templates_per_connection;
  options.session.max_frame_bytes = static_cast<std::uint32_t>(settings.limits.max_frame_bytes.count);
  options.session.handshake_timeout = settings.timeouts.handshake;
  options.session.ping_interval = settings.timeouts.ping_interval;
  options.session.silence_timeout = settings.timeouts.peer;
  options.connect_timeout = settings.timeouts.handshake;
  options.reconnect_initial = settings.timeouts.reconnect_initial;
  options.reconnect_max = settings.timeouts.reconnect_max;
  options.seed = seed_of(identity) + 1;
  return options;
}

ExecutionOptions execution_options(const Settings& settings, const Identity& identity) {
  ExecutionOptions options;
  options.self.id = identity.id;
  options.self.name = settings.node.name;
  options.self.epoch = identity.epoch;
  for (const auto& [key, value] : settings.node.tags) options.self.tags.push_back({key, value});
  for (const TaintSetting& taint : settings.node.taints) {
    options.self.taints.push_back({taint.key, taint.value, std::string(effect_name(taint.effect))});
  }
  options.self.slots = settings.node.slots;
  if (settings.listen.peer) options.self.address = to_address(*settings.listen.peer).to_string();
  options.seed = seed_of(identity);
  options.registry.functions_per_app_max = settings.limits.functions_per_app;
  options.ledger.tasks_max = settings.limits.calls_per_node;
  options.executor.attempts_max = settings.limits.calls_per_node;
  options.executor.attempts_per_origin_max = settings.limits.calls_per_peer;
  options.executor.queue_max = settings.limits.queue_length;
  options.executor.slots_max = settings.node.slots;
  return options;
}

}  // namespace kaido::daemon
