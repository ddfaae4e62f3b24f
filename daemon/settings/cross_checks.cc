#include "daemon/settings/cross_checks.h"

#include <initializer_list>
#include <optional>
#include <string>
#include <utility>

#include "daemon/settings/units.h"

namespace kaido::daemon {
namespace {

class CrossChecker {
 public:
  CrossChecker(const Settings& settings, Complaints& complaints) : settings_(settings), complaints_(complaints) {}

  void run() {
    check_listenable();
    check_advertised();
    check_exposure();
    check_sockets();
    check_limits();
    check_timeouts();
  }

 private:
  /// A complaint about a rule between the settings of `paths`, at the first of them that the file sets. There is none
  /// if one of them has its own complaint already.
  void complain(std::initializer_list<std::string> paths, const std::string& message) {
    const Mark* place = nullptr;
    std::string about = *paths.begin();
    for (const std::string& path : paths) {
      if (complaints_.is_bad(path)) return;
      if (place == nullptr && complaints_.place(path) != nullptr) {
        place = complaints_.place(path);
        about = path;
      }
    }
    complaints_.add_about(about, place == nullptr ? Mark{} : *place, message);
  }

  void check_listenable() {
    const auto check = [&](const char* path, const std::optional<AddressSetting>& address) {
      if (!address || address->can_be_listened_on()) return;
      complain({path}, in_quotes(to_string(*address)) +
                           " names a host; a node listens on addresses of its own: write one, like 127.0.0.1:" +
                           std::to_string(address->port) + ", or localhost");
    };
    check("listen.peer", settings_.listen.peer);
    check("listen.http", settings_.listen.http);
  }

  void check_advertised() {
    const std::optional<AddressSetting>& advertise = settings_.listen.advertise;
    if (!advertise) return;
    if (!settings_.listen.peer) {
      complain({"listen.advertise", "listen.peer"},
               "other nodes would be told to dial " + in_quotes(to_string(*advertise)) +
                   ", but this node takes none; set listen.peer too, or remove it");
    }
    if (advertise->is_wildcard() || (advertise->kind == AddressSetting::Kind::kTcp && advertise->port == 0)) {
      complain({"listen.advertise"}, in_quotes(to_string(*advertise)) +
                                         " is nothing that another node could dial; write the host and the port at "
                                         "which others reach this one, or remove it: an address of this host is found");
    }
  }

  void check_exposure() {
    const bool plaintext = settings_.security.insecure_plaintext;
    const std::string remedy =
        ", and peers speak plain text; meet over a Unix socket (unix:/path), or accept that where everybody who can "
        "reach it is trusted with \"insecure_plaintext: true\" under \"security\"";
    const auto reached_by = [](const AddressSetting& address) {
      return address.is_local() ? std::string(" can be reached by every user of this host")
                                : std::string(" can be reached from other hosts");
    };
    const auto reaches_out = [](const std::optional<AddressSetting>& address) {
      return address && address->can_be_listened_on() && !address->is_local();
    };
    const std::optional<AddressSetting>& peer = settings_.listen.peer;
    if (peer && peer->kind == AddressSetting::Kind::kTcp && peer->can_be_listened_on() && !plaintext) {
      complain({"listen.peer"}, in_quotes(to_string(*peer)) + reached_by(*peer) + remedy);
    }
    for (std::size_t i = 0; i < settings_.peers.size() && !plaintext; ++i) {
      if (settings_.peers[i].kind != AddressSetting::Kind::kTcp) continue;
      const Mark* place = complaints_.place(peer_place(i));
      complaints_.add_about_entry("peers", place == nullptr ? Mark{} : *place,
                                  in_quotes(to_string(settings_.peers[i])) + reached_by(settings_.peers[i]) + remedy);
    }
    if (reaches_out(settings_.listen.http) && !settings_.security.insecure_http) {
      complain({"listen.http"},
               in_quotes(to_string(*settings_.listen.http)) +
                   " can be reached from other hosts, and HTTP asks nobody who they are; use a loopback "
                   "address, or accept that with \"insecure_http: true\" under \"security\"");
    }
  }

  void check_sockets() {
    const ListenSettings& listen = settings_.listen;
    if (listen.app_socket == listen.admin_socket) {
      complain({"listen.admin_socket", "listen.app_socket"}, "is the app socket too; choose another path");
    }
    if (listen.peer && listen.peer->kind == AddressSetting::Kind::kUnix &&
        (listen.peer->path == listen.app_socket || listen.peer->path == listen.admin_socket)) {
      complain({"listen.peer"}, "is the app's or the admin socket too; choose another path");
    }
    if (listen.peer && listen.http && *listen.peer == *listen.http && listen.http->port != 0) {
      complain({"listen.http"}, "is the peers' address too; choose another port");
    }
    if (settings_.peers.size() > settings_.limits.max_peers) {
      complain({"peers", "limits.max_peers"},
               "there are " + std::to_string(settings_.peers.size()) + " peers, but \"limits.max_peers\" is " +
                   std::to_string(settings_.limits.max_peers) + "; raise it or remove some");
    }
  }

  void check_limits() {
    const LimitSettings& limits = settings_.limits;
    if (limits.queued_bytes_per_connection < limits.max_frame_bytes) {
      complain({"limits.queued_bytes_per_connection", "limits.max_frame_bytes"},
               "the largest frame (" + to_string(limits.max_frame_bytes) + ") would not fit into the queue (" +
                   to_string(limits.queued_bytes_per_connection) +
                   "); raise queued_bytes_per_connection or lower max_frame_bytes");
    }
    if (limits.memory.count / 4 < limits.max_frame_bytes.count) {
      complain({"limits.memory", "limits.max_frame_bytes"},
               "the largest message (" + to_string(limits.max_frame_bytes) +
                   ") would not fit into what one call may have of it (a quarter of " + to_string(limits.memory) +
                   "); raise memory or lower max_frame_bytes");
    }
    for (const auto& [path, calls] : {std::pair{"limits.calls_per_app", limits.calls_per_app},
                                      std::pair{"limits.calls_per_peer", limits.calls_per_peer}}) {
      if (calls <= limits.calls_per_node) continue;
      complain({path, "limits.calls_per_node"},
               std::string(path) + " (" + std::to_string(calls) + ") is more than calls_per_node (" +
                   std::to_string(limits.calls_per_node) + ") allows in all; lower it or raise calls_per_node");
    }
  }

  void check_timeouts() {
    const TimeoutSettings& timeouts = settings_.timeouts;
    if (timeouts.peer < 2 * timeouts.ping_interval) {
      complain({"timeouts.peer", "timeouts.ping_interval"},
               "a peer would be lost (" + to_string(timeouts.peer) + ") before a second ping (every " +
                   to_string(timeouts.ping_interval) + "); raise peer or lower ping_interval");
    }
    if (timeouts.app < 2 * timeouts.ping_interval) {
      complain({"timeouts.app", "timeouts.ping_interval"},
               "an app would be gone (" + to_string(timeouts.app) + ") before a second ping (every " +
                   to_string(timeouts.ping_interval) + "); raise app or lower ping_interval");
    }
    if (timeouts.reconnect_initial > timeouts.reconnect_max) {
      complain({"timeouts.reconnect_initial", "timeouts.reconnect_max"},
               "the first wait (" + to_string(timeouts.reconnect_initial) + ") is longer than the longest (" +
                   to_string(timeouts.reconnect_max) + "); lower reconnect_initial or raise reconnect_max");
    }
  }

  const Settings& settings_;
  Complaints& complaints_;
};

}  // namespace

void check_across(const Settings& settings, Complaints& complaints) { CrossChecker(settings, complaints).run(); }

}  // namespace kaido::daemon
