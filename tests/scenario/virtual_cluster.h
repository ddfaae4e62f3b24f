/// Whole nodes in one process, over a virtual network and a virtual clock.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/core/node/machine.h"
#include "proto/wire/frame.h"
#include "proto/wire/frame_reader.h"
#include "tests/scenario/virtual_app.h"

namespace kaido::daemon::testing {

/// A frame of the work between two nodes, as the network sees it.
struct Message {
  wire::FrameKind kind{};
  std::size_t from = 0;
  std::size_t to = 0;
};

/// What the network does with a message.
enum class Fate : std::uint8_t { kDeliver, kDrop, kDuplicate, kHold };

struct Delivery {
  wire::Outcome outcome{};
  TaskError error;
  std::string value;
};

/// An attempt that a worker app runs.
struct Running {
  std::uint32_t session = 0;  ///< the test's name of the worker
  std::uint64_t call = 0;
  std::uint32_t attempt = 0;
  std::string task;
  std::string function;  ///< as the worker offered it
  std::string arguments;
  bool cancel_seen = false;
};

/// Runs NodeMachines as daemon/links does: frames in, batches out. Apps are VirtualApps, whose words take no time.
/// Links between nodes carry frames in their order; a frame on its way is its header, a copy of its metadata, and the
/// handle of its payload; it is read as bytes by the FrameReader of the link's other end. Nodes dial each other by
/// themselves.
///
/// Workers do nothing by themselves: the test says when they finish, or installs on_dispatch. A node has one app that
/// calls, and its tasks are named by the test.
///
/// Threading: one thread.
class VirtualCluster {
 public:
  struct Options {
    LedgerOptions ledger;
    ExecutorOptions executor;
    base::Duration latency = std::chrono::milliseconds(1);
    /// Greetings and announcements take no time, so that nodes know each other at once. False: they travel as all do.
    bool instant_announcements = true;
    /// What one read takes from a link at most.
    std::size_t read_bytes = wire::kReadBytes;
  };

  VirtualCluster(Options options, std::uint64_t seed) : options_(options), seed_(seed) {}

  // --- building ---
  std::size_t add_node(NodeInfo info);  ///< its id, life and address are filled in
  void open_worker(std::size_t node, std::uint32_t session, std::uint32_t slots, std::vector<FunctionInfo> functions);
  void lose_worker(std::size_t node, std::uint32_t session);

  // --- apps ---
  /// Arguments are the task's name.
  void submit(std::size_t node, const std::string& task, PlacementSpec spec, base::Duration budget) {
    submit(node, task, std::move(spec), budget, task);
  }
  void submit(std::size_t node, const std::string& task, PlacementSpec spec, base::Duration budget,
              const std::string& arguments);
  /// False if it is not in flight.
  bool cancel(std::size_t node, const std::string& task);
  void close_session(std::size_t node);
  /// Answers for the worker that runs the task on the node; false if none does.
  bool answer(std::size_t node, const std::string& task, wire::Outcome outcome, const std::string& value_or_message);
  /// What apps say in `act` reaches their nodes in one read each.
  void in_one_turn(const std::function<void()>& act);

  // --- the world ---
  void advance(base::Duration duration);
  void crash(std::size_t node);             ///< nobody is told
  void restart(std::size_t node);           ///< in a new life; everyone meets it at once
  void cut(std::size_t a, std::size_t b);   ///< their links break, and nobody answers at the other's address
  void join(std::size_t a, std::size_t b);  ///< they can be reached again
  /// Their links break; they can be dialed again.
  void break_links(std::size_t a, std::size_t b);
  /// `observer` hears a goodbye that the node did not say.
  void declare_lost(std::size_t observer, std::size_t node);
  /// `node` makes another link to the other one; false if there is none now.
  bool replace_link(std::size_t node, std::size_t other);
  /// All links from the one to the other are full, or no longer.
  void set_congested(std::size_t from, std::size_t to, bool is_congested);
  void set_stalled(std::size_t node, std::uint32_t session, bool is_stalled);
  void drain(std::size_t node, base::Duration duration);
  /// From here on the others are told these tags instead of the node's own, until tell().
  void pretend(std::size_t node, std::vector<Tag> tags);
  void tell(std::size_t node);
  void release_held();

  // --- what to watch ---
  std::function<Fate(const Message&)> fate;  ///< asked of the frames of work, but prepare
  /// Asked of each large result on its way from a node to its app: whether its sender is lost before all of it came.
  std::function<bool()> loses_result;
  std::function<void(std::size_t node, const Running&)> on_dispatch;
  std::function<void(std::size_t node, const Running&)> on_cancel;

  [[nodiscard]] base::Instant now() const { return now_; }
  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] bool is_up(std::size_t node) const { return nodes_[node].is_up; }
  [[nodiscard]] const std::vector<Delivery>& deliveries(std::size_t node, const std::string& task) const;
  /// How often any worker was given the task.
  [[nodiscard]] int executions(const std::string& task) const;
  [[nodiscard]] const Running* running(std::size_t node, const std::string& task) const;
  [[nodiscard]] const std::vector<Running>& all_running(std::size_t node) const { return nodes_[node].running; }
  [[nodiscard]] const NodeMachine& machine(std::size_t node) const { return *nodes_[node].machine; }
  [[nodiscard]] const Ledger& ledger(std::size_t node) const { return machine(node).tasks().ledger(); }
  [[nodiscard]] const Executor& executor(std::size_t node) const { return machine(node).tasks().executor(); }
  [[nodiscard]] const Chooser& chooser(std::size_t node) const { return machine(node).tasks().chooser(); }
  /// Connections of apps that a node ended, and why; a test whose apps are well-behaved expects none.
  [[nodiscard]] const std::vector<std::string>& closed_apps() const { return closed_apps_; }

 private:
  /// An app's connection as its node has it.
  struct AppEnd {
    ConnectionId connection;
    std::uint32_t session = 0;  ///< of a worker; 0: the app that calls
    std::unique_ptr<VirtualApp> app;
    wire::FrameReader reader;
    std::vector<FunctionInfo> functions;
    struct Call {
      std::string task;
      bool is_open = true;
    };
    std::map<std::uint64_t, Call> calls;
    bool is_paused = false;
  };
  struct Worker {
    std::uint32_t slots = 0;
    std::vector<FunctionInfo> functions;
  };
  struct Node {
    bool is_up = false;
    bool listens = false;
    NodeInfo info;
    std::optional<std::vector<Tag>> believed_tags;
    std::map<std::uint32_t, Worker> workers;
    std::unique_ptr<NodeMachine> machine;
    std::vector<std::unique_ptr<AppEnd>> apps;
    std::vector<Running> running;
    std::map<std::string, std::vector<Delivery>> deliveries;
  };
  struct LinkEnd {
    std::size_t node = 0;
    ConnectionId connection;
    bool is_open = false;
    wire::FrameReader reader;
    std::string arrived;       ///< bytes of this instant
    bool has_ended = false;    ///< after those bytes
    std::string announcement;  ///< the last that this end sent, as the node made it
  };
  struct Link {
    LinkEnd ends[2];
  };
  /// A frame that travels, or the end of the connection behind the last one.
  struct Flight {
    std::uint64_t link = 0;
    int to = 0;
    bool is_end = false;
    wire::FrameHeader header;
    std::string metadata;
    Payload payload;
  };
  struct PendingDial {
    std::size_t from = 0;
    DialId dial;
    std::size_t to = 0;
  };

  void boot(std::size_t node);
  [[nodiscard]] NodeMachineOptions machine_options(std::size_t node) const;
  AppEnd& open_app(std::size_t node, std::uint32_t session, const std::string& name);
  [[nodiscard]] AppEnd* find_app(std::size_t node, std::uint32_t session) const;
  void end_app(std::size_t node, ConnectionId connection, const base::Status& reason);
  void connect_worker(std::size_t node, std::uint32_t session);

  void pump();
  bool pump(std::size_t node);
  bool read_apps(std::size_t node);
  void act(std::size_t node, const Ready& ready);
  void act(std::size_t node, const Command& command);
  void pass_on(std::size_t node, AppEnd& app, const FrameOut& result);
  void dispatched(std::size_t node, const AppEnd& app, const wire::FrameHeader& call, std::string arguments);
  void delivered(std::size_t node, AppEnd& app, std::uint64_t call_id, TaskResult result);

  void dial(PendingDial dial);
  [[nodiscard]] bool can_reach(std::size_t from, std::size_t to) const;
  void connect(const PendingDial& dial);
  void retry_dials();
  void send(std::size_t from, ConnectionId connection, const wire::FrameHeader& header, std::string metadata,
            Payload payload);
  void enqueue(Flight flight, base::Duration after);
  bool deliver_due();
  void read(LinkEnd& end);
  void close_end(std::uint64_t link, int end, const base::Status& reason);
  void close_both(std::uint64_t link, const base::Status& reason);
  void repeat_announcements(std::size_t node);
  [[nodiscard]] std::string announced(std::size_t node, std::string metadata) const;
  [[nodiscard]] std::vector<std::uint64_t> links_between(std::size_t a, std::size_t b) const;
  [[nodiscard]] std::optional<base::Instant> next_event() const;

  Options options_;
  std::uint64_t seed_;
  base::Instant now_{std::chrono::hours(1)};
  std::vector<Node> nodes_;
  std::map<std::uint64_t, Link> links_;
  std::uint64_t next_link_ = 1;
  std::map<std::pair<std::size_t, std::uint32_t>, std::pair<std::uint64_t, int>> ends_;  ///< by node and connection
  std::vector<PendingDial> dials_;
  std::set<std::pair<std::size_t, std::size_t>> cut_;      ///< ordered pairs
  std::set<std::pair<std::size_t, std::size_t>> refuses_;  ///< the next dial finds nobody
  std::map<std::pair<base::Instant, std::uint64_t>, Flight> in_flight_;
  std::vector<Flight> held_;
  std::uint64_t flight_count_ = 0;
  std::vector<std::string> names_;  ///< of tasks, by their span minus one
  std::map<std::string, int> executions_;
  std::vector<std::string> closed_apps_;
  bool is_pumping_ = false;
  bool is_corked_ = false;
};

}  // namespace kaido::daemon::testing
