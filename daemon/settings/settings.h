/// Everything an operator can choose about one node, as plain values that have been checked.
///
/// A default-constructed Settings holds the defaults that do not depend on the host; default_settings() in
/// default_paths.h adds the host name and the paths. loader.h fills one from a YAML file; the keys, their ranges and
/// their meaning are the table in schema.cc, from which docs/operating/configuration.md is checked.
///
/// Threading: plain data; written once at start, then shared as const.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/telemetry/log_options.h"
#include "proto/base/time.h"

namespace kaido::daemon {

using base::Duration;

/// A number of bytes that came with a unit.
struct Bytes {
  std::uint64_t count = 0;
  auto operator<=>(const Bytes&) const = default;
};

/// Where to listen or whom to reach: "host:port", "[v6]:port" or "unix:/absolute/path".
struct AddressSetting {
  enum class Kind : std::uint8_t { kTcp, kUnix };

  Kind kind = Kind::kTcp;
  std::string host;  // a name or a literal without brackets; empty for kUnix
  std::uint16_t port = 0;
  std::string path;  // for kUnix

  bool operator==(const AddressSetting&) const = default;

  /// Whether only this host can reach it: a Unix path, 127.0.0.0/8, ::1 or "localhost". Names are not resolved.
  [[nodiscard]] bool is_local() const;
  /// Every address of this host, where it is listened on (0.0.0.0, ::); nothing that can be dialed.
  [[nodiscard]] bool is_wildcard() const;
  /// A Unix path, a numeric address or "localhost": names would have to be resolved, and may mean several hosts.
  [[nodiscard]] bool can_be_listened_on() const;
};

[[nodiscard]] std::string to_string(const AddressSetting& address);

/// Kubernetes' three effects, with its names.
enum class TaintEffect : std::uint8_t { kNoSchedule, kPreferNoSchedule, kNoExecute };

struct TaintSetting {
  std::string key;
  std::string value;
  TaintEffect effect = TaintEffect::kNoSchedule;
  bool operator==(const TaintSetting&) const = default;
};

struct NodeSettings {
  std::string name;       // default: the host's name
  std::string state_dir;  // the node's id and epoch live here
  std::map<std::string, std::string> tags;
  std::vector<TaintSetting> taints;
  std::uint32_t slots = 0;  // attempts that run at once; 0 ("auto"): as many as the worker apps offer
};

struct ListenSettings {
  std::string app_socket;                   // Unix socket for apps
  std::uint32_t app_socket_mode = 0;        // 0660 for a system daemon, 0600 for a user's own
  std::string admin_socket;                 // Unix socket for kaidoctl (gRPC)
  std::optional<AddressSetting> peer;       // for other nodes; none: a node on its own
  std::optional<AddressSetting> advertise;  // what other nodes are told to dial; none: where peers are accepted
  std::optional<AddressSetting> http;       // /metrics, /healthz, /readyz; none: off
};

struct SecuritySettings {
  bool insecure_plaintext = false;  // peers may speak plain text over TCP
  bool insecure_http = false;       // HTTP may listen beyond loopback
};

/// Every bound that protects the node from its apps and peers. When one is hit the caller is told, and it is counted.
struct LimitSettings {
  Bytes memory{512ULL << 20};                       // what is kept for apps and peers, in all
  Bytes max_frame_bytes{64ULL << 20};               // one frame: header, metadata and payload
  Bytes queued_bytes_per_connection{256ULL << 20};  // unsent; what finds it full is not taken
  std::uint32_t calls_per_app = 4096;               // in flight, per connected app: its credits
  std::uint32_t calls_per_peer = 65536;             // in flight from one peer
  std::uint32_t calls_per_node = 262144;            // in flight in all
  std::uint32_t queue_length = 65536;               // attempts that wait for a free slot on this node
  std::uint32_t max_apps = 1024;
  std::uint32_t max_peers = 256;
  std::uint32_t functions_per_app = 4096;
  std::uint32_t templates_per_connection = 65536;    // prepared placements
  Bytes template_bytes_per_connection{16ULL << 20};  // what they may take in all
};

struct TimeoutSettings {
  Duration handshake = std::chrono::seconds(5);      // from accept to a complete Hello
  Duration drain = std::chrono::seconds(30);         // what runs may finish for this long after SIGTERM
  Duration ping_interval = std::chrono::seconds(1);  // to a peer that is otherwise silent
  Duration peer = std::chrono::seconds(5);           // a peer silent for this long is lost
  Duration app = std::chrono::seconds(5);            // an app silent for this long is gone
  Duration stalled = std::chrono::seconds(30);       // who takes nothing of what it is sent for this long is cut off
  Duration reconnect_initial = std::chrono::milliseconds(100);
  Duration reconnect_max = std::chrono::seconds(10);
  Duration reconnect_grace = std::chrono::seconds(1);  // a node without a link for this long is lost
  Duration forget_node = std::chrono::hours(1);        // a node lost for this long is forgotten
  Duration settle = std::chrono::seconds(1);           // after a start calls wait for peers and apps for this long
};

struct Settings {
  NodeSettings node;
  ListenSettings listen;
  std::vector<AddressSetting> peers;  // other nodes, tried until they answer
  SecuritySettings security;
  LimitSettings limits;
  TimeoutSettings timeouts;
  LogOptions log;
};

}  // namespace kaido::daemon
