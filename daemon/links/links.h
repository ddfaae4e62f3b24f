/// The shell around the node machine: sockets in, bytes out. It decides nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/core/node/machine.h"
#include "daemon/net/address.h"
#include "daemon/net/connection.h"
#include "daemon/net/transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/runtime/timer.h"
#include "daemon/telemetry/log.h"
#include "proto/base/status.h"
#include "proto/wire/window_budget.h"

namespace kaido::daemon {

struct LinksOptions {
  Address app_address = Address::unix_socket("kaidod.sock");
  ListenOptions app_listen;
  std::optional<Address> peer_address;  ///< none: only dials
  ListenOptions peer_listen;
  /// What others dial; none: where peers are accepted, with an address of this host for a wildcard.
  std::optional<Address> advertise;
  base::Duration connect_timeout = std::chrono::seconds(5);
};

/// What one kind of connections carried, open and closed ones together.
struct LinkTraffic {
  ConnectionStats bytes;
  wire::StreamStats streams;  ///< large payloads that came
  std::size_t queued_bytes = 0;
  std::uint64_t refused_by_limit = 0;  ///< closed because there were too many
};

/// Tells the machine what happens on connections, and acts on its batches at each turn's end: frames go into their
/// connections' output, which the same turn writes.
///
/// Threading: confined to the node strand.
/// Lifetime: loop, transports and machine outlive it.
class Links final : public TurnHook {
 public:
  /// What the machine answers to operators.
  using OnAnswer = std::function<void(std::uint64_t call, TaskResult result)>;
  using OnPong = std::function<void(std::uint64_t call, base::StatusOr<base::Duration> time)>;

  Links(Loop& loop, Transport& app_transport, Transport& peer_transport, LinksOptions options, NodeMachine& machine,
        Logger log);
  ~Links();
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  void set_operators(OnAnswer on_answer, OnPong on_pong) {
    on_answer_ = std::move(on_answer);
    on_pong_ = std::move(on_pong);
  }

  /// Listens and lets the machine dial. Errors: the transports', for the listening addresses.
  [[nodiscard]] base::Status start();
  /// The address as bound; nothing if it takes no peers.
  [[nodiscard]] std::optional<Address> peer_address() const;

  /// Output that has not been taken yet, of all connections.
  [[nodiscard]] std::size_t unsent_bytes() const;
  /// Whether large payloads are on their way to somebody. Costs a look at each connection.
  [[nodiscard]] bool has_streams() const;
  [[nodiscard]] LinkTraffic app_traffic() const;
  [[nodiscard]] LinkTraffic peer_traffic() const;

  /// Acts on what the machine wants done. Called by the loop; tests may call it between turns.
  void on_turn_end(base::Instant now) override;

 private:
  class Link;

  /// How often connections are asked whether bytes came: well below any time-out that goes by it.
  static constexpr base::Duration kHeardInterval = std::chrono::milliseconds(5);

  void handle_timeout();
  void refused_app();
  void accept_app(std::unique_ptr<Connection> connection);
  void accept_peer(std::unique_ptr<Connection> connection);
  void add(ConnectionId id, std::unique_ptr<Connection> connection);
  void remove(ConnectionId id, const base::Status& reason);
  void dial(DialId id, const std::string& address);
  void dialed(DialId id, base::StatusOr<std::unique_ptr<Connection>> connection);
  void act_on_batch();
  void act_on(const Ready& ready);
  void act_on(const Command& command);
  void write(const LogEvent& event);
  [[nodiscard]] Link* find_link(ConnectionId id) const;
  [[nodiscard]] Connection* find(ConnectionId id) const;
  [[nodiscard]] LinkTraffic traffic(bool of_peers, const LinkTraffic& closed, const Listener* listener) const;

  /// Payloads that are passed on as they come may be this much ahead of their takers, all together.
  static constexpr std::size_t kWindowBytesMax = 64U << 20;

  Loop& loop_;
  Transport& app_transport_;
  Transport& peer_transport_;
  LinksOptions options_;
  NodeMachine& machine_;
  const Logger log_;
  OnAnswer on_answer_;
  OnPong on_pong_;
  wire::WindowBudget window_{kWindowBytesMax};
  std::unique_ptr<Listener> app_listener_;
  std::unique_ptr<Listener> peer_listener_;
  std::vector<std::unique_ptr<Link>> app_links_;  ///< by slot of the machine's id
  std::vector<std::unique_ptr<Link>> peer_links_;
  std::vector<ConnectionId> finishing_;  ///< that end when no large payload is under way on them
  std::unordered_map<std::uint32_t, std::unique_ptr<ConnectOperation>> dials_;
  base::Instant heard_told_;
  bool refusals_told_ = false;  ///< since an app was accepted last
  LinkTraffic closed_apps_;
  LinkTraffic closed_peers_;
  Timer timer_;
};

}  // namespace kaido::daemon
