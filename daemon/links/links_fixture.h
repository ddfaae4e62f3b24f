/// Test support: two nodes on one loop, machines, shells and connections as in production, and apps that speak by hand.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/session/messages.h"
#include "daemon/links/links.h"
#include "daemon/net/memory_transport.h"
#include "daemon/security/plaintext.h"
#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/task.pb.h"
#include "proto/wire/body.h"
#include "proto/wire/handshake.h"

namespace kaido::daemon {

using wire::FrameKind;

inline constexpr base::Duration kLimit = std::chrono::seconds(60);
inline constexpr std::uint64_t kFunction = base::function_id_of("f").value;

/// An app that speaks by hand; large payloads come to it in one piece.
class LinkedApp final : public ConnectionHandler {
 public:
  LinkedApp(Loop& loop, Transport& transport, const std::string& node, std::string name) : name_(std::move(name)) {
    connecting_ = transport.connect(Address::memory(node), loop.now() + kLimit, {}, [this](auto made) {
      ASSERT_TRUE(made.ok()) << made.status();
      connection = *std::move(made);
      connection->start(*this);
      v1::Hello hello;
      hello.mutable_versions()->set_min(wire::kVersions.min);
      hello.mutable_versions()->set_max(wire::kVersions.max);
      hello.mutable_versions()->set_features(features);
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
  /// Dies: nothing that it has not sent will come.
  void die() { connection.reset(); }
  void offer() {
    v1::Register message;
    message.set_slots(8);
    v1::Function& function = *message.add_functions();
    function.set_name("f");
    function.set_id(kFunction);
    function.set_fingerprint(1);
    say(FrameKind::kRegister, message.SerializeAsString());
  }
  void call(std::uint64_t id, const std::string& arguments, std::uint32_t attempts = 1) {
    PlacementSpec spec;
    spec.max_attempts = attempts;
    spec.function = {kFunction};
    spec.function_name = "f";
    spec.fingerprint = 1;
    say(FrameKind::kPrepare, to_message(spec).SerializeAsString(), 1);
    say(FrameKind::kCall, {}, 1, id, arguments);
  }

  [[nodiscard]] const std::string& name() const { return name_; }

  void on_frame(Connection&, const wire::FrameView& frame) override {
    if (frame.header.kind == FrameKind::kWelcome) is_welcome = true;
    if (frame.header.kind == FrameKind::kRegistered) is_registered = true;
    if (frame.header.kind != FrameKind::kCall && frame.header.kind != FrameKind::kResult) return;
    if (!frame.payload.is_whole()) return failures.push_back(frame.payload.body()->failure());
    received.push_back({frame.header, std::string(wire::as_text(frame.payload.bytes())), error_of(frame)});
  }
  void on_drained(Connection&) override {}
  void on_closed(Connection&, const base::Status&) override {}

  struct Received {
    wire::FrameHeader header;
    std::string payload;
    std::string error;
  };
  std::uint64_t features = wire::kFeatures;
  std::unique_ptr<Connection> connection;
  bool is_welcome = false;
  bool is_registered = false;
  std::vector<Received> received;
  std::vector<wire::BodyFailure> failures;  ///< of payloads that did not come whole

 private:
  static std::string error_of(const wire::FrameView& frame) {
    if (frame.header.kind != FrameKind::kResult || frame.header.template_or_status == 0) return {};
    const auto error = parse_metadata<v1::ResultError>(frame);
    return error.ok() ? error->message() : "(malformed)";
  }

  const std::string name_;
  std::unique_ptr<ConnectOperation> connecting_;
};

/// A node without the files and settings of a daemon.
struct LinkedNode {
  LinkedNode(Loop& loop, Transport& transport, const std::string& name, std::uint8_t number,
             std::vector<std::string> peers)
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
    EXPECT_TRUE(until([&] { return a.machine.peers().connected_count() + b->machine.peers().connected_count() == 2; }));
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
    return a.machine.peers().counters().links_replaced + b->machine.peers().counters().links_replaced;
  }
  /// A result is on its way to a's client.
  [[nodiscard]] bool is_delivering() {
    const auto tasks = a.machine.tasks().ledger().tasks(loop.now(), 1);
    return tasks.size() == 1 && tasks[0].state == TaskState::kDelivering;
  }
  [[nodiscard]] std::size_t links_of_b() const { return a.machine.peers().list().at(0).links; }

  Loop loop;
  PlaintextProvider security{PlaintextProvider::Policy::kThisHostOnly};
  MemoryNetwork network;
  MemoryTransport transport{loop, network, security};
  LinkedNode a{loop, transport, "a", 1, {}};
  std::optional<LinkedNode> b{
      std::in_place, loop, transport, "b", std::uint8_t{2}, std::vector<std::string>{"memory:a"}};
  LinkedApp client{loop, transport, "a.apps", "client"};
  LinkedApp worker{loop, transport, "b.apps", "worker"};
};

}  // namespace kaido::daemon
