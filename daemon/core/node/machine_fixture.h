/// Test support: NodeMachines joined by links in memory, with apps at them, in virtual time.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/core/node/machine.h"
#include "proto/base/random.h"

namespace kaido::daemon {

class World;

/// A frame on its way, with bytes of its own.
struct FrameInTransit {
  wire::FrameHeader header;
  std::string metadata;
  Payload payload;
};

/// Whoever speaks at one end of a wire.
class WireEnd {
 public:
  virtual ~WireEnd() = default;
  virtual void take(ConnectionId connection, const FrameInTransit& frame) = 0;
  /// The connection ended; once.
  virtual void ended(ConnectionId connection, const base::Status& reason) = 0;
};

/// A connection: what is on its way to each end arrives in order, when the world gets to it.
struct Wire {
  struct Half {
    WireEnd* end = nullptr;
    ConnectionId id;
    std::deque<FrameInTransit> inbox;
    bool is_open = true;
    bool is_held = false;                    ///< nothing is delivered, as if the network were slow
    bool is_paused = false;                  ///< the machine does not read
    std::optional<base::Status> close_with;  ///< its own end closes
    bool gets_eof = false;                   ///< the other end closed: the end comes after the inbox
  };
  Half halves[2];
  /// Meaningless where a node is connected with itself.
  [[nodiscard]] Half& half_of(const WireEnd& end) { return halves[halves[0].end == &end ? 0 : 1]; }
  [[nodiscard]] Half& beyond(const Half& half) { return halves[&half == &halves[0] ? 1 : 0]; }
  [[nodiscard]] bool is_open() const { return halves[0].is_open && halves[1].is_open; }
};

struct TestNodeOptions {
  std::string name;
  std::uint8_t number = 0;             ///< of its id
  base::Life life{{1}, 0};             ///< nonce 0: the world draws one
  std::vector<std::string> peers;      ///< the addresses that it dials
  std::optional<std::string> address;  ///< where it listens; not given: at its name; empty: nowhere
  std::function<void(NodeMachineOptions&)> tune = nullptr;
};

/// A node: its machine, and what it asked of its shell.
class TestNode final : public WireEnd {
 public:
  TestNode(World& world, TestNodeOptions options);

  [[nodiscard]] NodeIndex index_of(const TestNode& other) const;
  /// How many others it can send work to.
  [[nodiscard]] std::uint32_t peers() const { return machine->peers().connected_count(); }
  [[nodiscard]] std::string log_text() const;
  [[nodiscard]] int count_log(const std::string& words) const;

  void take(ConnectionId connection, const FrameInTransit& frame) override;
  void ended(ConnectionId connection, const base::Status& reason) override;

  TestNodeOptions options;
  base::NodeId id;
  std::string address;
  std::unique_ptr<NodeMachine> machine;
  bool is_up = true;
  bool accepts = true;
  std::vector<Command> commands;  ///< other than those that the world acts on
  std::vector<std::string> log;
  std::vector<wire::FrameHeader> sent;

 private:
  World& world_;
};

/// An app, worker or client or both.
class TestApp final : public WireEnd {
 public:
  struct Work {
    std::uint64_t call = 0;
    std::uint32_t attempt = 0;
    std::string arguments;
  };

  TestApp(World& world, std::string name) : name(std::move(name)), world_(world) {}

  void say(wire::FrameKind kind, const std::string& metadata = {}, const std::string& payload = {},
           std::uint32_t template_or_status = 0, std::uint64_t call_id = 0, base::Duration budget = {});
  void hello();
  void offer(const std::vector<std::string>& functions, std::uint32_t slots);
  /// Prepares the template and calls it.
  void call(std::uint64_t id, const PlacementSpec& spec, const std::string& arguments = "x",
            base::Duration budget = {});
  void answer(const Work& work, const std::string& result = "42");
  void close();

  /// "succeeded 42", "node lost <message>"; empty where there is none yet. Fails where there is more than one.
  [[nodiscard]] std::string result(std::uint64_t id) const;

  void take(ConnectionId connection, const FrameInTransit& frame) override;
  void ended(ConnectionId connection, const base::Status& reason) override;

  std::string name;
  Wire* wire = nullptr;
  bool answers_at_once = false;
  bool answers_pings = true;
  bool is_closed = false;
  std::optional<std::string> goodbye;
  bool may_come_back = false;  ///< by the goodbye
  std::vector<Work> work;
  std::vector<std::uint64_t> cancelled;
  std::map<std::uint64_t, std::vector<std::string>> results;
  std::map<std::uint64_t, base::Duration> retry_after;  ///< of results that say one
  std::vector<wire::FrameHeader> received;

 private:
  World& world_;
  std::uint32_t templates_ = 0;
};

/// The function that tests call by its name, and a spec that wants it.
[[nodiscard]] FunctionInfo test_function(const std::string& name);
[[nodiscard]] PlacementSpec spec_for(const std::string& function, bool idempotent = false);

/// Time, the network, and everybody. Deterministic for a seed, which decides what happens first among what may.
class World {
 public:
  explicit World(std::uint64_t seed = 1) : random(seed) {}

  TestNode& add(TestNodeOptions options);
  /// Makes and starts the node; the other addresses are dialed at once.
  TestNode& start(TestNodeOptions options);
  void start(TestNode& node);
  /// Its process dies: connections end, and nobody answers at its address.
  void kill(TestNode& node);
  TestApp& app(TestNode& node, const std::string& name);
  TestApp& worker(TestNode& node, const std::string& name, std::uint32_t slots = 8,
                  const std::vector<std::string>& functions = {"f"});

  /// A connection to the node of somebody who is no node, as if dialed. Its half is the first.
  Wire& connect(WireEnd& from, TestNode& to);

  /// Everything that needs no time.
  void settle();
  void run_for(base::Duration duration);
  /// False if it did not come to be within a minute of virtual time.
  [[nodiscard]] bool run_until(const std::function<bool()>& done, base::Duration at_most = std::chrono::minutes(1));
  /// One step of what may happen now. False: there is nothing.
  bool step();

  /// The newest open wire between two.
  [[nodiscard]] Wire* wire(const WireEnd& a, const WireEnd& b);
  [[nodiscard]] std::size_t wires(const WireEnd& a, const WireEnd& b) const;
  /// Breaks: what is on its way is lost, and both ends see it.
  void cut(Wire& wire);
  /// Only this end sees it; the other one's frames go nowhere.
  void cut_at(Wire& wire, const WireEnd& end);
  void hold(Wire& wire, bool held);

  /// A frame of the end whose half `from` is.
  void send(Wire& wire, Wire::Half& from, FrameInTransit frame);
  void dial(TestNode& from, DialId id, const std::string& address);
  void close(TestNode& node, const Command& command);
  /// The open wire that the end knows by this id, and its half of it; null: there is none.
  struct Found {
    Wire* wire = nullptr;
    Wire::Half* half = nullptr;
  };
  [[nodiscard]] Found find(const WireEnd& end, ConnectionId id);

  base::Instant now = base::Instant{} + std::chrono::hours(1);
  base::Random random;
  std::map<std::string, TestNode*> routes;  ///< addresses that lead somewhere; others are refused
  bool dials_hang = false;                  ///< whoever is dialed neither answers nor refuses
  std::vector<std::unique_ptr<TestNode>> nodes;
  std::vector<std::unique_ptr<TestApp>> apps;

 private:
  struct Dial {
    TestNode* from = nullptr;
    DialId id;
    std::string address;
  };
  void act(TestNode& node);
  void dial_now(const Dial& dial);
  bool deliver(Wire& wire, Wire::Half& half);
  bool end(Wire& wire, Wire::Half& half);
  bool fire_timers();

  void bury();

  std::vector<std::unique_ptr<Wire>> wires_;
  std::vector<std::unique_ptr<Wire>> ended_;  // kept, since tests look at them
  std::vector<Dial> dials_;
  std::uint32_t next_connection_ = 1;  // of those who are no nodes
};

}  // namespace kaido::daemon
