#include "daemon/settings/schema.h"

#include <array>
#include <chrono>

#include "daemon/settings/units.h"

namespace kaido::daemon {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Bytes kKiB{1ULL << 10};
constexpr Bytes kGiB{1ULL << 30};
constexpr std::uint32_t kMillion = 1'000'000;
constexpr std::size_t kMaxStatePathBytes = 1024;

constexpr std::array<std::string_view, 3> kTaintEffects = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
constexpr std::array<std::string_view, 5> kLogLevels = {"debug", "info", "warn", "error", "off"};
constexpr std::array<std::string_view, 4> kLogFormats = {"auto", "text", "json", "journal"};

// The field of a setting, as a function from Settings to a reference to it.
#define FIELD(member) [](Settings& settings) -> auto& { return settings.member; }

template <class Enum, Enum LogOptions::* member>
constexpr ChoiceType log_choice(std::span<const std::string_view> words) {
  return {words, [](const Settings& settings) { return static_cast<std::size_t>(settings.log.*member); },
          [](Settings& settings, std::size_t index) { settings.log.*member = static_cast<Enum>(index); }};
}

constexpr SettingKey kTable[] = {
    {"node.name", NodeNameType{FIELD(node.name)}, "What people and placements call this node; unique in the cluster."},
    {"node.state_dir", PathType{FIELD(node.state_dir), kMaxStatePathBytes},
     "Folder of what must outlive a restart: the node's id and its epoch. Created if missing."},
    {"node.tags", TagsType{FIELD(node.tags), 64},
     "Labels that placements select by, by Kubernetes' rules for keys and values."},
    {"node.taints", TaintsType{FIELD(node.taints), 32},
     "Marks that keep calls away unless they tolerate them: a list of {key, value, effect}."},
    {"node.slots", CountType{FIELD(node.slots), 1, kMillion, true},
     "Calls that run at once on this node; \"auto\" is as many as the connected worker apps offer."},

    {"listen.app_socket", PathType{FIELD(listen.app_socket), kMaxSocketPathBytes},
     "Unix socket where apps connect. An app that looks elsewhere is told by KAIDO_SOCKET."},
    {"listen.app_socket_mode", ModeType{FIELD(listen.app_socket_mode)},
     "Permissions of the app socket: who may connect may call and offer every function."},
    {"listen.admin_socket", PathType{FIELD(listen.admin_socket), kMaxSocketPathBytes},
     "Unix socket of the admin API, which kaidoctl uses."},
    {"listen.peer", AddressType{FIELD(listen.peer)},
     "Where other nodes connect; \"none\" for a node on its own. Port 0 lets the system choose."},
    {"listen.advertise", AddressType{FIELD(listen.advertise)},
     "What other nodes are told to dial, where that differs from listen.peer: behind a translation of addresses, say. "
     "By "
     "default where peers are accepted, with an address of this host in place of a wildcard."},
    {"listen.http", AddressType{FIELD(listen.http), true},
     "Where /metrics, /healthz and /readyz are served; \"none\" to serve them nowhere."},

    {"peers", AddressListType{FIELD(peers), 256},
     "Addresses of other nodes, each tried until it answers. One direction suffices: whoever is reached answers back."},

    {"security.insecure_plaintext", BoolType{FIELD(security.insecure_plaintext)},
     "Lets nodes meet over TCP, loopback included, without encryption and without proof of who they are: whoever "
     "reaches "
     "the port can pose as a node, call every function and forge results. Where everybody who can is trusted only."},
    {"security.insecure_http", BoolType{FIELD(security.insecure_http)},
     "Lets HTTP listen beyond this host. Whoever reaches it can read names of nodes and functions and all counters."},

    {"limits.memory", SizeType{FIELD(limits.memory), Bytes{8 * 1024 * kKiB.count}, Bytes{1024 * kGiB.count}},
     "What the node keeps for its apps and peers, in all: prepared placements, node infos, arguments that wait, large "
     "payloads on their way, queued output. Nobody may have more than half of what is left for all others: one alone, "
     "a quarter of it. Beyond it, new work is "
     "rejected with a time to retry after. At least four times max_frame_bytes; the process takes up to 32 MiB more, "
     "and where all is taken up to 68 KiB for each connection that has begun to send something, and up to 128 KiB for "
     "each that does not read what it was sent."},
    {"limits.max_frame_bytes", SizeType{FIELD(limits.max_frame_bytes), Bytes{64 * kKiB.count}, kGiB},
     "Largest message, arguments included. Raising it lets one call take more memory at its two ends, and where it "
     "waits."},
    {"limits.queued_bytes_per_connection",
     SizeType{FIELD(limits.queued_bytes_per_connection), Bytes{64 * kKiB.count}, Bytes{16 * kGiB.count}},
     "Bytes that may wait for a reader that does not keep up; beyond it further calls for it are rejected or go "
     "elsewhere, and the connection goes on. At least max_frame_bytes."},
    {"limits.calls_per_app", CountType{FIELD(limits.calls_per_app), 1, kMillion},
     "Calls of one app in flight; further ones wait in the app."},
    {"limits.calls_per_peer", CountType{FIELD(limits.calls_per_peer), 1, 10 * kMillion},
     "Calls of one peer in flight on this node; further ones are rejected with a time to retry after."},
    {"limits.calls_per_node", CountType{FIELD(limits.calls_per_node), 1, 8 * kMillion},
     "Calls in flight on this node in all; further ones are rejected with a time to retry after."},
    {"limits.queue_length", CountType{FIELD(limits.queue_length), 1, 10 * kMillion},
     "Calls that wait for a free slot. One app or peer may have half of what is left for all others: alone, a third. "
     "Raising it trades rejections for waiting."},
    {"limits.max_apps", CountType{FIELD(limits.max_apps), 1, 100'000},
     "Connected apps. Each takes a file descriptor and its buffers."},
    {"limits.max_peers", CountType{FIELD(limits.max_peers), 1, 10'000}, "Connected peers."},
    {"limits.functions_per_app", CountType{FIELD(limits.functions_per_app), 1, 100'000},
     "Functions that one app may offer."},
    {"limits.templates_per_connection", CountType{FIELD(limits.templates_per_connection), 1, kMillion},
     "Prepared placements that one connection may keep here."},
    {"limits.template_bytes_per_connection",
     SizeType{FIELD(limits.template_bytes_per_connection), Bytes{64 * kKiB.count}, kGiB},
     "Bytes that the prepared placements of one app, or of one link to a peer, may take; further ones are refused, and "
     "so "
     "are their calls."},

    {"timeouts.handshake", DurationType{FIELD(timeouts.handshake), milliseconds(10), seconds(60)},
     "How long a new connection may take to say who it is."},
    {"timeouts.drain", DurationType{FIELD(timeouts.drain), seconds(0), hours(24)},
     "How long running calls may go on after SIGTERM before they are cancelled."},
    {"timeouts.ping_interval", DurationType{FIELD(timeouts.ping_interval), milliseconds(10), seconds(60)},
     "How often a silent peer is asked whether it is there."},
    {"timeouts.peer", DurationType{FIELD(timeouts.peer), milliseconds(50), hours(1)},
     "A peer silent for this long is lost, and its calls are retried or failed. At least twice ping_interval."},
    {"timeouts.app", DurationType{FIELD(timeouts.app), milliseconds(50), hours(1)},
     "An app silent for this long is gone: what it ran ends as app lost. It answers pings by itself, so only one that "
     "is "
     "frozen or stopped in a debugger is silent. At least twice ping_interval."},
    {"timeouts.stalled", DurationType{FIELD(timeouts.stalled), milliseconds(100), hours(1)},
     "An app or peer that takes nothing of what waits for it, or sends half a message and not the rest, for this long "
     "is "
     "cut off; a large payload of which nothing moves is given up, and its call ends. Raising it lets one that is "
     "stuck "
     "hold its memory for longer; lowering it cuts off those that are slow."},
    {"timeouts.reconnect_initial", DurationType{FIELD(timeouts.reconnect_initial), milliseconds(1), seconds(60)},
     "Wait before a lost peer is first tried again; doubles with each failure, with jitter."},
    {"timeouts.reconnect_max", DurationType{FIELD(timeouts.reconnect_max), milliseconds(1), hours(1)},
     "Longest wait between two tries."},
    {"timeouts.reconnect_grace", DurationType{FIELD(timeouts.reconnect_grace), milliseconds(0), hours(1)},
     "How long a node whose connection broke has to come back before its calls are retried or failed. One whose "
     "address "
     "answers nobody any more is lost at once."},
    {"timeouts.forget_node", DurationType{FIELD(timeouts.forget_node), seconds(1), hours(24 * 365)},
     "How long a lost node is listed and explained before it is forgotten."},
    {"timeouts.settle", DurationType{FIELD(timeouts.settle), milliseconds(0), seconds(60)},
     "For how long after its start a node lets a call wait that nobody can run yet: its peers and apps are only just "
     "coming back. Later such a call is unschedulable at once, unless it asks to wait."},

    {"log.level", log_choice<LogLevel, &LogOptions::level>(kLogLevels), "The least severe level that is written."},
    {"log.format", log_choice<LogFormat, &LogOptions::format>(kLogFormats),
     "Shape of the lines; \"auto\" is journal under systemd, text on a terminal and json otherwise."},
};

#undef FIELD

}  // namespace

std::string_view SettingKey::section() const {
  const std::size_t dot = path.find('.');
  return dot == std::string_view::npos ? std::string_view() : path.substr(0, dot);
}

std::string_view SettingKey::name() const { return path.substr(path.find('.') + 1); }

std::span<const SettingKey> settings_schema() { return kTable; }

std::span<const std::string_view> taint_effect_words() { return kTaintEffects; }

std::string_view section_doc(std::string_view section) {
  if (section == "node") return "Who this node is and what it offers.";
  if (section == "listen") return "Where this node can be reached.";
  if (section == "security") return "Named exceptions from what is safe.";
  if (section == "limits")
    return "Bounds that protect the node from its apps and peers; hits are counted in kaido_net_limit_hits_total.";
  if (section == "timeouts") return "How long things may take.";
  if (section == "log") return "What is written to standard error.";
  return "The other nodes.";
}

}  // namespace kaido::daemon
