#include "tests/bench/counted/node_calls.h"

#include <stdexcept>
#include <string>

#include "tests/bench/counted/node_subject.h"
#include "tests/bench/counted/scripts.h"

// The names that instructions.py looks for: what these call is what is counted. The text in each keeps the compiler
// from making one function of them.
#define KAIDO_TURN(name)                                                                                   \
  extern "C" [[gnu::noinline]] void name(kaido::bench::NodeSubject& node, kaido::bench::ConnectionId from, \
                                         std::span<const std::byte> bytes) {                               \
    asm volatile("# " #name);                                                                              \
    node.receive(from, bytes);                                                                             \
    node.end_turn();                                                                                       \
  }
KAIDO_TURN(measured_local)
KAIDO_TURN(measured_origin)
KAIDO_TURN(measured_executor)
KAIDO_TURN(unmeasured)

namespace kaido::bench {
namespace {

using Turn = void (*)(NodeSubject&, ConnectionId, std::span<const std::byte>);

constexpr std::uint32_t kSlots = 4 * kCountedWindow;

void expect(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error("instruction count: " + what);
}

/// An app at its node.
struct App {
  explicit App(NodeSubject& its_node) : node(its_node), connection(its_node.open_app()) { script.hello(); }

  void say(Turn turn) {
    turn(node, connection, script.bytes());
    script.sent();
  }
  void hear() {
    log.read(node.output(connection));
    node.written(connection);
    expect(log.goodbye().empty(), "the node says goodbye: " + log.goodbye());
  }
  void hear_of(wire::FrameKind kind) {
    hear();
    expect(!log.take(kind).empty(), "the node did not say " + std::string(wire::name(kind)));
  }

  NodeSubject& node;
  const ConnectionId connection;
  AppScript script;
  FrameLog log;
};

/// Two nodes' connection.
class Wire {
 public:
  Wire(NodeSubject& dialer, NodeSubject& acceptor)
      : a_(dialer), b_(acceptor), at_b_(acceptor.accept_peer()), at_a_(dialer.dial_peer()) {}

  /// One turn of the receiver with all that the other has to say; false if it is silent.
  bool carry_to_dialer(Turn turn) { return carry(b_, at_b_, a_, at_a_, turn); }
  bool carry_to_acceptor(Turn turn) { return carry(a_, at_a_, b_, at_b_, turn); }

  void settle() {
    bool has_spoken = true;
    while (has_spoken) {
      has_spoken = carry_to_dialer(unmeasured);
      has_spoken = carry_to_acceptor(unmeasured) || has_spoken;
    }
  }

 private:
  static bool carry(NodeSubject& from, ConnectionId at_sender, NodeSubject& to, ConnectionId at_receiver, Turn turn) {
    if (from.output(at_sender).empty()) return false;
    turn(to, at_receiver, from.output(at_sender));
    from.written(at_sender);
    return true;
  }

  NodeSubject& a_;
  NodeSubject& b_;
  const ConnectionId at_b_;
  const ConnectionId at_a_;
};

void open_worker(App& worker) {
  worker.script.offer(kSlots);
  worker.say(unmeasured);
  worker.hear_of(wire::FrameKind::kRegistered);
}

void open_client(App& client) {
  client.script.prepare();
  client.say(unmeasured);
  client.hear_of(wire::FrameKind::kWelcome);
}

void answer_all(App& worker) {
  worker.hear();
  const auto calls = worker.log.take(wire::FrameKind::kCall);
  expect(calls.size() == kCountedWindow, "the worker was given " + std::to_string(calls.size()) + " calls");
  for (const std::uint64_t id : calls) worker.script.result(id);
}

void take_results(App& client) {
  client.hear();
  const auto results = client.log.take(wire::FrameKind::kResult);
  expect(results.size() == kCountedWindow, "the client was given " + std::to_string(results.size()) + " results");
}

}  // namespace

void count_local_calls(std::uint32_t warm_up_turns, std::uint32_t turns) {
  with_nodes([=](NodeFactory& nodes) {
    const auto node = nodes.make(1);
    App worker(*node);
    open_worker(worker);
    App client(*node);
    open_client(client);
    std::uint64_t next_call = 0;
    for (std::uint32_t i = 0; i < warm_up_turns + turns; ++i) {
      const Turn turn = i < warm_up_turns ? unmeasured : measured_local;
      for (std::uint32_t call = 0; call < kCountedWindow; ++call) client.script.call(next_call++);
      client.say(turn);
      answer_all(worker);
      worker.say(turn);
      take_results(client);
    }
  });
}

void count_remote_calls(std::uint32_t warm_up_turns, std::uint32_t turns) {
  with_nodes([=](NodeFactory& nodes) {
    const auto origin = nodes.make(1);
    const auto executor = nodes.make(2);
    App worker(*executor);
    open_worker(worker);
    Wire wire(*origin, *executor);
    wire.settle();
    App client(*origin);
    open_client(client);
    std::uint64_t next_call = 0;
    for (std::uint32_t i = 0; i < warm_up_turns + turns; ++i) {
      const Turn at_origin = i < warm_up_turns ? unmeasured : measured_origin;
      const Turn at_executor = i < warm_up_turns ? unmeasured : measured_executor;
      for (std::uint32_t call = 0; call < kCountedWindow; ++call) client.script.call(next_call++);
      client.say(at_origin);
      wire.carry_to_acceptor(at_executor);
      wire.carry_to_dialer(at_origin);  // What an executor says before it has a result, if anything.
      answer_all(worker);
      worker.say(at_executor);
      wire.carry_to_dialer(at_origin);
      take_results(client);
    }
  });
}

}  // namespace kaido::bench
