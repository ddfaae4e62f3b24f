#include "daemon/api/app_server.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/net/memory_transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/plaintext.h"
#include "proto/kaido/v1/local.pb.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

/// The node behind the server: remembers what reached it.
class Node final : public AppHandler {
 public:
  base::Status offer(std::uint32_t session, const std::vector<FunctionInfo>& functions, std::uint32_t) override {
    worker = session;
    offered = functions;
    return absl::OkStatus();
  }
  PlacementRef prepare(PlacementSpec spec) override {
    return std::make_shared<PreparedPlacement>(std::move(spec), 0, 1);
  }
  bool submit(const SubmitRequest& request) override {
    submitted.push_back(request.call_id);
    client = request.session;
    return true;
  }
  void cancel_call(std::uint32_t, std::uint64_t call_id) override { cancelled.push_back(call_id); }
  bool worker_result(std::uint32_t, std::uint64_t call, wire::Outcome, const TaskError*, Payload payload) override {
    results.emplace_back(std::to_string(call) + " " + std::string(wire::as_text(payload)));
    return true;
  }
  void session_closed(std::uint32_t session) override { closed.push_back(session); }

  std::uint32_t worker = 0;
  std::uint32_t client = 0;
  std::vector<FunctionInfo> offered;
  std::vector<std::uint64_t> submitted;
  std::vector<std::uint64_t> cancelled;
  std::vector<std::string> results;
  std::vector<std::uint32_t> closed;
};

/// An app: speaks frames over a connection of its own.
class App final : public ConnectionHandler {
 public:
  App(Loop& loop, Transport& transport) {
    operation_ = transport.connect(Address::memory("apps"), loop.now() + 1s, {}, [this](auto connected) {
      ASSERT_TRUE(connected.ok()) << connected.status();
      connection = *std::move(connected);
      connection->start(*this);
    });
  }

  void on_frame(Connection&, const wire::FrameView& frame) override {
    received.push_back(std::string(wire::name(frame.header.kind)) + " " + std::to_string(frame.header.call_id) + " " +
                       std::string(wire::as_text(frame.payload.bytes())));
    if (frame.header.kind == wire::FrameKind::kGoodbye) {
      v1::Goodbye message;
      EXPECT_TRUE(message.ParseFromArray(frame.metadata.data(), static_cast<int>(frame.metadata.size())));
      goodbye = message.reason();
    }
  }
  void on_drained(Connection&) override {}
  void on_closed(Connection&, const base::Status&) override { is_closed = true; }

  void say(wire::FrameKind kind, const std::string& metadata, const std::string& payload = {},
           std::uint32_t template_or_status = 0, std::uint64_t call_id = 0) {
    wire::FrameHeader header;
    header.kind = kind;
    header.template_or_status = template_or_status;
    header.call_id = call_id;
    EXPECT_TRUE(connection->send(header, wire::as_span(metadata), wire::as_span(payload)));
  }
  void say_hello(const std::string& name) {
    v1::Hello hello;
    hello.mutable_versions()->set_min(1);
    hello.mutable_versions()->set_max(1);
    hello.set_app_name(name);
    say(wire::FrameKind::kHello, hello.SerializeAsString());
  }

  std::unique_ptr<Connection> connection;
  std::vector<std::string> received;
  std::string goodbye;
  bool is_closed = false;

 private:
  std::unique_ptr<ConnectOperation> operation_;
};

class AppServerTest : public testing::Test {
 protected:
  AppServerTest() {
    AppServerOptions options;
    options.address = Address::memory("apps");
    options.session.node_name = "n1";
    options.session.handshake_timeout = 50ms;
    server = std::make_unique<AppServer>(loop, transport, options, node, Logger());
    EXPECT_TRUE(server->start().ok());
  }
  bool until(const std::function<bool()>& done) { return loop.run_until(done, 10s); }
  std::unique_ptr<App> connect(const std::string& name) {
    auto app = std::make_unique<App>(loop, transport);
    EXPECT_TRUE(until([&] { return app->connection != nullptr; }));
    app->say_hello(name);
    EXPECT_TRUE(until([&] { return !app->received.empty(); }));
    return app;
  }

  Loop loop;
  PlaintextProvider security{PlaintextProvider::Policy::kThisHostOnly};
  MemoryNetwork network;
  MemoryTransport transport{loop, network, security};
  Node node;
  std::unique_ptr<AppServer> server;
};

TEST_F(AppServerTest, CarriesCallsAndWorkBothWays) {
  const auto app = connect("shop");
  EXPECT_EQ(server->app_count(), 1U);
  EXPECT_EQ(server->apps().at(0).name, "shop");
  v1::Register functions;
  functions.add_functions()->set_name("count");
  app->say(wire::FrameKind::kRegister, functions.SerializeAsString());
  v1::Prepare prepare;
  prepare.mutable_function()->set_name("count");
  app->say(wire::FrameKind::kPrepare, prepare.SerializeAsString(), {}, 1);
  app->say(wire::FrameKind::kCall, {}, "arguments", 1, 7);
  app->say(wire::FrameKind::kCancel, {}, {}, 0, 7);
  ASSERT_TRUE(until([&] { return node.cancelled.size() == 1; }));
  EXPECT_EQ(node.offered.at(0).name, "count");
  EXPECT_EQ(node.submitted, std::vector<std::uint64_t>{7});
  server->dispatch(node.worker, 0, 900, 1, 0ms, {}, {}, wire::as_span("work"));
  server->deliver(node.client, 7, wire::Outcome::kSucceeded, nullptr, wire::as_span("42"));
  ASSERT_TRUE(until([&] { return app->received.size() == 4; }));
  EXPECT_EQ(app->received[2], "call 900 work");
  EXPECT_EQ(app->received[3], "result 7 42");
  app->say(wire::FrameKind::kResult, {}, "done", 0, 900);
  ASSERT_TRUE(until([&] { return node.results.size() == 1; }));
  EXPECT_EQ(node.results[0], "900 done");
}

TEST_F(AppServerTest, AnAppThatBreaksTheProtocolLosesItsSessionAndNobodyElseNotices) {
  const auto bad = connect("bad");
  const auto good = connect("good");
  bad->say(wire::FrameKind::kCall, {}, {}, 99, 1);
  ASSERT_TRUE(until([&] { return bad->is_closed; }));
  EXPECT_NE(bad->goodbye.find("template 99, which was not prepared"), std::string::npos) << bad->goodbye;
  ASSERT_TRUE(until([&] { return server->app_count() == 1; }));
  EXPECT_EQ(node.closed.size(), 1U);
  EXPECT_EQ(server->counters().closed_violation, 1U);
  good->say(wire::FrameKind::kPing, {}, {}, 0, 5);
  ASSERT_TRUE(until([&] { return good->received.size() == 2; }));
  EXPECT_EQ(good->received[1], "pong 5 ");
}

TEST_F(AppServerTest, AnAppThatDiesIsForgottenOnce) {
  auto app = connect("mortal");
  app.reset();
  ASSERT_TRUE(until([&] { return server->app_count() == 0; }));
  EXPECT_EQ(node.closed.size(), 1U);
}

TEST_F(AppServerTest, StaleSessionsReachNobody) {
  auto first = connect("first");
  v1::Register functions;
  first->say(wire::FrameKind::kRegister, functions.SerializeAsString());
  ASSERT_TRUE(until([&] { return node.worker != 0; }));
  first.reset();
  ASSERT_TRUE(until([&] { return server->app_count() == 0; }));
  const auto second = connect("second");  // takes the first one's place in the table
  const std::size_t before = second->received.size();
  server->deliver(node.worker, 1, wire::Outcome::kSucceeded, nullptr, {});
  server->cancel_at_worker(node.worker, 1);
  second->say(wire::FrameKind::kPing, {}, {}, 0, 5);
  ASSERT_TRUE(until([&] { return second->received.size() > before; }));
  EXPECT_EQ(second->received.back(), "pong 5 ");
  EXPECT_TRUE(server->app_name(node.worker).empty());
}

TEST_F(AppServerTest, SilenceInsteadOfHelloEndsTheConnection) {
  App silent(loop, transport);
  ASSERT_TRUE(until([&] { return silent.is_closed; }));
  EXPECT_EQ(silent.goodbye, "no hello came in time");
  ASSERT_TRUE(until([&] { return server->counters().refused_handshake == 1; }));
}

TEST_F(AppServerTest, GoodbyeReachesEveryApp) {
  const auto a = connect("a");
  const auto b = connect("b");
  server->stop_listening();
  server->close_all("the node stops: test");
  ASSERT_TRUE(until([&] { return a->is_closed && b->is_closed && server->app_count() == 0; }));
  EXPECT_EQ(a->goodbye, "the node stops: test");
  EXPECT_EQ(b->goodbye, "the node stops: test");
  EXPECT_EQ(node.closed.size(), 2U);
}

}  // namespace
}  // namespace kaido::daemon
