/// The shell around a NodeMachine as the fuzzer plays it: connections, what is outstanding on each, and what must hold.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string_view>
#include <vector>

#include "daemon/core/node/machine.h"

namespace kaido::daemon::testing {

/// Hands events to the machine and judges its batches: nothing goes to a connection that has ended, nothing is answered
/// that was not asked, nothing twice. The fuzz target decides what happens; this class knows what may follow.
///
/// Threading: one thread.
class NodeWorld {
 public:
  /// Batches that one turn may take, and timers that may ring at one instant, before it counts as a livelock.
  static constexpr int kTurnMax = 256;

  struct App {
    ConnectionId connection;
    bool is_welcome = false;
    bool takes_results_again = false;
    bool is_congested = false;
    std::map<std::uint64_t, int> calls;     ///< answers that are due, by call id
    std::vector<std::uint64_t> dispatched;  ///< what this worker was given, and has not answered
  };
  struct Attempt {
    std::uint64_t sequence = 0;
    std::uint32_t attempt = 0;
  };
  struct Peer {
    ConnectionId connection;
    std::uint8_t who = 0;  ///< which of the other nodes it plays
    bool is_dialed = false;
    bool is_congested = false;
    std::vector<Attempt> attempts;  ///< that the machine sent here
    std::uint64_t last_ping = 0;
  };

  explicit NodeWorld(NodeMachineOptions options);

  // --- events ---
  App* open_app();
  Peer* accept_peer();
  /// The answer to the machine's oldest dial; null if it dials nobody, or wants nobody.
  Peer* answer_dial(bool has_failed);
  void frame(ConnectionId to, const wire::FrameHeader& header, std::string_view metadata, const Payload& payload);
  void close(ConnectionId connection, const base::Status& reason);
  void advance(base::Duration time);
  void operator_call(const PlacementSpec& spec, base::Duration budget, const Payload& arguments);
  void cancel_operator_call(std::uint64_t call) { machine_.cancel_call(now_, call); }
  void ping(NodeIndex node);

  /// Acts on batches until there is none. Between two of them the machine may be given further events.
  void pump();
  /// Takes a batch without acknowledging it, so that what comes next comes in between.
  void take() {
    if (machine_.has_ready()) static_cast<void>(machine_.ready());
  }

  /// Ends everything, one way or the other, and checks that nothing is left.
  void end(bool drains_first);

  [[nodiscard]] NodeMachine& machine() { return machine_; }
  [[nodiscard]] base::Instant now() const { return now_; }
  [[nodiscard]] std::vector<App>& apps() { return apps_; }
  [[nodiscard]] std::vector<Peer>& peers() { return peers_; }
  [[nodiscard]] std::uint64_t last_operator_call() const { return next_operator_call_ - 1; }

 private:
  void act(const Ready& ready);
  void act(const Command& command);
  void app_frame(App& app, const FrameOut& frame, std::span<const std::byte> metadata);
  void app_stream(App& app, const FrameOut& result);
  void peer_frame(Peer& peer, const FrameOut& frame);
  void forget(ConnectionId connection);
  void check_idle() const;

  base::Instant now_{std::chrono::hours(1)};
  NodeMachine machine_;
  std::vector<App> apps_;
  std::vector<Peer> peers_;
  std::vector<ConnectionId> closing_;  ///< told to close, not reported closed yet
  std::set<std::uint32_t> told_to_close_;
  std::vector<DialId> dials_;
  std::map<std::uint64_t, int> operator_calls_;  ///< answers that are due
  std::map<std::uint64_t, int> pings_;
  std::uint64_t next_operator_call_ = 1;
};

}  // namespace kaido::daemon::testing
