// Two nodes on one loop, machines, shells and connections as in production, with an app at each: what the shell does
// with large payloads when the machine exchanges a link.
#include "daemon/links/links.h"

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/session/messages.h"
#include "daemon/net/memory_transport.h"
#include "daemon/security/plaintext.h"
#include "proto/base/ids.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/wire/handshake.h"

namespace kaido::daemon {
namespace {

using wire::FrameKind;

constexpr base::Duration kLimit = std::chrono::seconds(60);
constexpr std::uint64_t kFunction = base::function_id_of("f").value;

/// An app that speaks by hand; large payloads come to it in one piece.
class App final : public ConnectionHandler {
 public:
  App(Loop& loop, Transport& transport, const std::string& node, std::string name) : name_(std::move(name)) {
    connecting_ = transport.connect(Address::memory(node), loop.now() + kLimit, {}, [this](auto made) {
      ASSERT_TRUE(made.ok()) << made.status();
      connection = *std::move(made);
      connection->start(*this);
      v1::Hello hello;
      hello.mutable_versions()->set_min(wire::kVersions.min);
      hello.mutable_versions()->set_max(wire::kVersions.max);
      hello.set_app_name(name_);
      say(FrameKind::kHello, hello.SerializeAsString());
    });
  }

  void say(FrameKind kind, const std::string& metadata, std::uint32_t template_or_status = 0, std::uint64_t call = 0,
           const std::string& payload = {}) {
    wire::FrameHeader header;
    header.kind = kind;
    header.template_or_status = template_or_status;
    header.call_id = call;
    const Payload bytes = Payload::copy_of(wire::as_span(payload));
    ASSERT_EQ(connection->send(header, wire::as_span(metadata), bytes), wire::SendResult::kTaken);
  }
  void offer() {
    v1::Register message;
    message.set_slots(8);
    v1::Function& function = *message.add_functions();
    function.set_name("f");
    function.set_id(kFunction);
    function.set_fingerprint(1);
    say(FrameKind::kRegister, message.SerializeAsString());
  }
  void call(std::uint64_t id, const std::string& arguments) {
    PlacementSpec spec;
    spec.function = {kFunction};
    spec.function_name = "f";
    spec.fingerprint = 1;
    say(FrameKind::kPrepare, to_message(spec).SerializeAsString(), 1);
    say(FrameKind::kCall, {}, 1, id, arguments);
  }

  void on_frame(Connection&, const wire::FrameView& frame) override {
    if (frame.header.kind == FrameKind::kWelcome) is_welcome = true;
    if (frame.header.kind != FrameKind::kCall && frame.header.kind != FrameKind::kResult) return;
    const bool is_whole = frame.payload.is_whole();
    received.push_back({frame.header, is_whole ? std::string(wire::as_text(frame.payload.bytes())) : "(failed)"});
  }
  void on_drained(Connection&) override {}
  void on_closed(Connection&, const base::Status&) override {}

  struct Received {
    wire::FrameHeader header;
    std::string payload;
  };
  std::unique_ptr<Connection> connection;
  bool is_welcome = false;
  std::vector<Received> received;

 private:
  const std::string name_;
  std::unique_ptr<ConnectOperation> connecting_;
};

struct Node {
  Node(Loop& loop, Transport& transport, const std::string& name, std::uint8_t number, std::vector<std::string> peers)
      : machine(options(name, number, std::move(peers)), loop.now()),
        links(loop, transport, transport, links_options(name), machine, Logger()) {
    EXPECT_TRUE(links.start().ok());
  }

  static NodeMachineOptions options(const std::string& name, std::uint8_t number, std::vector<std::string> peers) {
    NodeMachineOptions options;
    options.tasks.self.id.bytes[0] = number;
    options.tasks.self.name = name;
    options.tasks.self.life = {{1}, number};
    options.apps.node_id = options.peers.session.node_id = options.tasks.self.id;
    options.apps.node_name = options.peers.session.node_name = name;
    options.apps.epoch = {1};
    options.peers.session.life = options.tasks.self.life;
    options.peers.session.ping_interval = std::chrono::milliseconds(20);
    options.peers.addresses = std::move(peers);
    return options;
  }
  static LinksOptions links_options(const std::string& name) {
    LinksOptions options;
    options.app_address = Address::memory(name + ".apps");
    options.peer_address = Address::memory(name);
    return options;
  }

  NodeMachine machine;
  Links links;
};

class LinksTest : public testing::Test {
 protected:
  LinksTest() {
    EXPECT_TRUE(until([&] { return a.machine.peers().connected_count() + b.machine.peers().connected_count() == 2; }));
    EXPECT_TRUE(until([&] { return client.is_welcome && worker.is_welcome; }));
    worker.offer();
    EXPECT_TRUE(until([&] { return !a.machine.tasks().view().nodes().back().info->functions.empty(); }));
  }
  [[nodiscard]] bool until(const std::function<bool()>& done) { return loop.run_until(done, kLimit); }
  [[nodiscard]] NodeIndex b_at_a() const { return a.machine.tasks().view().nodes().back().index; }
  /// From a to b; the link that was is given up by both when this returns.
  void replace_link() {
    const std::uint64_t before = replaced();
    ASSERT_TRUE(a.machine.replace_link(loop.now(), b_at_a()).ok());
    ASSERT_TRUE(until([&] { return replaced() >= before + 2; }));
  }
  [[nodiscard]] std::uint64_t replaced() const {
    return a.machine.peers().counters().links_replaced + b.machine.peers().counters().links_replaced;
  }
  [[nodiscard]] std::size_t links_of_b() const { return a.machine.peers().list().at(0).links; }

  Loop loop;
  PlaintextProvider security{PlaintextProvider::Policy::kThisHostOnly};
  MemoryNetwork network;
  MemoryTransport transport{loop, network, security};
  Node a{loop, transport, "a", 1, {}};
  Node b{loop, transport, "b", 2, {"memory:a"}};
  App client{loop, transport, "a.apps", "client"};
  App worker{loop, transport, "b.apps", "worker"};
};

// The worker does not read for longer than a connection that is told to close would wait.
TEST_F(LinksTest, ArgumentsThatAreUnderWayWhenTheLinkIsReplacedArriveWhole) {
  worker.connection->pause_reading();
  const std::string arguments(16U << 20, 'x');
  client.call(1, arguments);
  ASSERT_TRUE(until([&] { return b.machine.tasks().load().busy == 1; }));
  replace_link();
  EXPECT_EQ(links_of_b(), 2U);
  client.call(2, "small");  // by the new link
  const base::Instant resumes = loop.now() + std::chrono::milliseconds(1500);
  ASSERT_TRUE(until([&] { return loop.now() >= resumes; }));
  EXPECT_TRUE(client.received.empty()) << client.received[0].payload;
  worker.connection->resume_reading();
  ASSERT_TRUE(until([&] { return worker.received.size() == 2; }));
  for (const App::Received& call : worker.received) {
    EXPECT_TRUE(call.payload == "small" || call.payload == arguments) << call.payload.size();
    worker.say(FrameKind::kResult, {}, 0, call.header.call_id, "42");
  }
  ASSERT_TRUE(until([&] { return client.received.size() == 2; }));
  for (const App::Received& result : client.received) EXPECT_EQ(result.payload, "42");
  ASSERT_TRUE(until([&] { return links_of_b() == 1; })) << "the former link ends when its work is done";
  EXPECT_EQ(a.machine.peers().counters().nodes_lost, 0U);
  EXPECT_EQ(a.machine.peers().counters().lost_closed + b.machine.peers().counters().lost_closed, 0U);
}

TEST_F(LinksTest, AResultThatIsUnderWayWhenTheLinkIsReplacedArrivesWhole) {
  client.call(1, "small");
  ASSERT_TRUE(until([&] { return worker.received.size() == 1; }));
  client.connection->pause_reading();
  const std::string result(16U << 20, 'y');
  worker.say(FrameKind::kResult, {}, 0, worker.received[0].header.call_id, result);
  ASSERT_TRUE(until([&] { return a.machine.tasks().ledger().task_count() == 0; }));
  replace_link();
  const base::Instant resumes = loop.now() + std::chrono::milliseconds(1500);
  ASSERT_TRUE(until([&] { return loop.now() >= resumes; }));
  client.connection->resume_reading();
  ASSERT_TRUE(until([&] { return client.received.size() == 1; }));
  EXPECT_EQ(client.received[0].payload, result);
  ASSERT_TRUE(until([&] { return links_of_b() == 1; }));
}

}  // namespace
}  // namespace kaido::daemon
