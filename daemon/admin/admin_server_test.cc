/// The admin API over a real socket: what gRPC clients get, and what the acceptor keeps away from gRPC.
#include "daemon/admin/admin_server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <grpcpp/client_context.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>

#include "daemon/admin/admin_fixture.h"
#include "daemon/admin/admin_grpc.h"
#include "daemon/admin/admission.h"
#include "proto/kaido/v1/admin.grpc.pb.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

std::shared_ptr<grpc::Channel> channel_to(const AdminFixture& fixture) {
  // No sharing of connections between channels: some tests count them.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel("unix:" + fixture.socket_path(), grpc::InsecureChannelCredentials(), arguments);
}

std::unique_ptr<v1::Admin::Stub> stub_to(const AdminFixture& fixture) {
  return v1::Admin::NewStub(channel_to(fixture));
}

grpc::Status ping(v1::Admin::Stub& stub, const std::string& node, std::chrono::milliseconds timeout = 30s) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  v1::PingNodeRequest request;
  request.set_node(node);
  v1::PingNodeResponse response;
  return stub.Ping(&context, request, &response);
}

/// A client without gRPC.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    connected_ = ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { ::close(descriptor_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  void send(std::string_view bytes) {
    EXPECT_EQ(::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  /// Bytes until the server closes.
  std::size_t read_to_end() {
    std::size_t total = 0;
    char buffer[4096];
    for (ssize_t size = 0; (size = ::recv(descriptor_, buffer, sizeof buffer, 0)) > 0;) {
      total += static_cast<std::size_t>(size);
    }
    return total;
  }

 private:
  const int descriptor_;
  bool connected_ = false;
};

TEST(AdminServer, AnswersFromTheLoop) {
  AdminFixture fixture;
  const auto stub = stub_to(fixture);
  grpc::ClientContext status_context;
  v1::StatusResponse status;
  ASSERT_TRUE(stub->Status(&status_context, {}, &status).ok());
  EXPECT_EQ(status.node_name(), "alpha");
  EXPECT_EQ(status.counters().at("kaido_calls_total"), 12);
  grpc::ClientContext nodes_context;
  v1::ListNodesResponse nodes;
  ASSERT_TRUE(stub->ListNodes(&nodes_context, {}, &nodes).ok());
  EXPECT_EQ(nodes.nodes_size(), 2);
  grpc::ClientContext functions_context;
  v1::ListFunctionsResponse functions;
  ASSERT_TRUE(stub->ListFunctions(&functions_context, {}, &functions).ok());
  EXPECT_EQ(functions.functions(0).name(), "count_words");
}

TEST(AdminServer, CapsHowManyTasksAreListed) {
  AdminFixture fixture({.tasks_max = 3});
  const auto stub = stub_to(fixture);
  for (const auto& [asked, given] : std::vector<std::pair<std::uint32_t, int>>{{0, 3}, {2, 2}, {4000000000, 3}}) {
    grpc::ClientContext context;
    v1::ListTasksRequest request;
    request.set_limit(asked);
    v1::ListTasksResponse tasks;
    ASSERT_TRUE(stub->ListTasks(&context, request, &tasks).ok());
    EXPECT_EQ(tasks.tasks_size(), given);
    EXPECT_TRUE(tasks.truncated());
    EXPECT_EQ(tasks.total(), 5u);
  }
}

TEST(AdminServer, PassesOnWhatBecameOfAPing) {
  AdminFixture fixture({.call_timeout = 200ms});
  const auto stub = stub_to(fixture);
  EXPECT_TRUE(ping(*stub, "alpha").ok());
  EXPECT_EQ(ping(*stub, "beta").error_code(), grpc::StatusCode::UNAVAILABLE);
  const auto unknown = ping(*stub, "gamma");
  EXPECT_EQ(unknown.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(unknown.error_message(), "no node is called 'gamma'");
  // The node never answers: the server's own limit ends the wait.
  EXPECT_EQ(ping(*stub, "silent").error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

std::string bytes_of(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const auto& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

/// One request, one answer, by the method's name and the messages' bytes.
std::string call_by_name(const AdminFixture& fixture, const std::string& method, const std::string& request) {
  grpc::GenericStub stub(channel_to(fixture));
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto step = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto call = stub.PrepareCall(&context, method, &queue);
  call->StartCall(nullptr);
  EXPECT_TRUE(step());
  const grpc::Slice slice(request);
  call->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  EXPECT_TRUE(step());
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  EXPECT_TRUE(step());
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  EXPECT_TRUE(step());
  return bytes_of(answer);
}

TEST(AdminServer, OffersReflectionAndHealth) {
  AdminFixture fixture;
  // ServerReflectionRequest{list_services: ""}
  const auto services =
      call_by_name(fixture, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", {"\x3a\x00", 2});
  EXPECT_NE(services.find("kaido.v1.Admin"), std::string::npos);
  // HealthCheckRequest{} -> HealthCheckResponse{status: SERVING}
  EXPECT_EQ(call_by_name(fixture, "/grpc.health.v1.Health/Check", ""), "\x08\x01");
}

TEST(AdminServer, KeepsSilenceAndGarbageAwayFromGrpc) {
  AdminFixture fixture({.handshake_timeout = 100ms});
  RawClient silent(fixture.socket_path());
  RawClient partial(fixture.socket_path());
  partial.send("PRI * HTTP");
  RawClient http1(fixture.socket_path());
  http1.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(silent.read_to_end(), 0u);
  EXPECT_EQ(partial.read_to_end(), 0u);
  EXPECT_EQ(http1.read_to_end(), 0u);
  EXPECT_EQ(fixture.counters().refused_silent, 2u);
  EXPECT_EQ(fixture.counters().refused_foreign, 1u);
  EXPECT_EQ(fixture.counters().open, 0u);
}

TEST(AdminServer, ClosesConnectionsThatAskNothing) {
  AdminFixture fixture({.idle_timeout = 200ms});
  RawClient idle(fixture.socket_path());
  idle.send(kHttp2Preface.substr(0, 10));  // in pieces: it is put together before gRPC sees it
  idle.send(kHttp2Preface.substr(10));
  idle.send({"\0\0\0\4\0\0\0\0\0", 9});  // an empty SETTINGS frame
  EXPECT_GT(idle.read_to_end(), 0u);     // gRPC's own settings, then the end
  while (fixture.counters().open > 0) {  // seen in a turn of the loop
  }
}

TEST(AdminServer, RefusesMoreConnectionsThanItsBoundAndRecovers) {
  AdminFixture fixture({.connections_max = 1});
  {
    const auto stub = stub_to(fixture);
    ASSERT_TRUE(ping(*stub, "alpha").ok());
    EXPECT_EQ(fixture.counters().open, 1u);
    RawClient second(fixture.socket_path());
    EXPECT_EQ(second.read_to_end(), 0u);
    EXPECT_EQ(fixture.counters().refused_limit, 1u);
  }
  while (fixture.counters().open > 0) {  // seen in a turn of the loop
  }
  EXPECT_TRUE(ping(*stub_to(fixture), "alpha").ok());
}

TEST(AdminServer, GarbageAfterThePrefaceHarmsNobodyElse) {
  AdminFixture fixture;
  const auto stub = stub_to(fixture);
  ASSERT_TRUE(ping(*stub, "alpha").ok());
  RawClient hostile(fixture.socket_path());
  hostile.send(std::string(kHttp2Preface) + std::string(4096, '\xff'));
  hostile.read_to_end();
  EXPECT_TRUE(ping(*stub, "alpha").ok());
}

/// Only root can become somebody else, so where the tests run as another user the child says that it could not.
TEST(AdminServer, RefusesOtherUsers) {
  constexpr uid_t kNobody = 65534;
  enum Outcome { kRefused = 1, kLetIn = 2, kNotRoot = 3 };
  AdminFixture fixture({.socket_mode = 0666});
  const auto path = fixture.socket_path();
  const bool is_root = ::geteuid() == 0;
  const pid_t child = ::fork();
  if (child == 0) {  // only async-signal-safe calls: the parent has threads
    if (::setresgid(kNobody, kNobody, kNobody) != 0 || ::setresuid(kNobody, kNobody, kNobody) != 0) {
      ::_exit(kNotRoot);
    }
    RawClient client(path);
    ::_exit(client.connected() && client.read_to_end() == 0 ? kRefused : kLetIn);
  }
  int result = 0;
  ASSERT_EQ(::waitpid(child, &result, 0), child);
  EXPECT_EQ(WEXITSTATUS(result), is_root ? kRefused : kNotRoot);
  EXPECT_EQ(fixture.counters().refused_credentials, is_root ? 1u : 0u);
}

v1::CallRequest call_of(const std::string& function) {
  v1::CallRequest request;
  request.set_function(function);
  return request;
}

grpc::Status call(v1::Admin::Stub& stub, const v1::CallRequest& request, v1::CallResponse& response,
                  std::chrono::milliseconds timeout = 30s) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  return stub.Call(&context, request, &response);
}

TEST(AdminServer, RunsCallsWithTheTimeoutThatTheyState) {
  AdminFixture fixture;
  fixture.queries.result = "bytes";
  const auto stub = stub_to(fixture);
  v1::CallRequest request = call_of("count_words");
  request.set_arguments(std::string(100000, 'x'));  // more than any other question may send
  v1::CallResponse response;
  ASSERT_TRUE(call(*stub, request, response).ok());
  EXPECT_EQ(response.outcome(), "succeeded");
  EXPECT_EQ(response.result(), "bytes");
  EXPECT_EQ(fixture.on_loop([&] { return fixture.queries.last_call.arguments().size(); }), 100000U);
  const auto stated = [&](double seconds) {
    request.set_timeout_seconds(seconds);
    EXPECT_TRUE(call(*stub, request, response).ok());
    return fixture.on_loop([&] { return fixture.queries.last_timeout; });
  };
  EXPECT_EQ(stated(0), 60s);
  EXPECT_EQ(stated(0.25), 250ms);
  EXPECT_EQ(stated(1e300), 3600s);
  EXPECT_EQ(stated(-1), 60s);
}

TEST(AdminServer, CallsAreBoundedInBothDirections) {
  AdminFixture fixture;
  const auto stub = stub_to(fixture);
  v1::CallRequest request = call_of("count_words");
  request.set_arguments(std::string(kOperatorCallBytesMax + 1, 'x'));
  v1::CallResponse response;
  EXPECT_EQ(call(*stub, request, response).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  fixture.on_loop([&] { fixture.queries.result.assign(kOperatorCallBytesMax + 1, 'x'); });
  EXPECT_EQ(call(*stub, call_of("count_words"), response).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST(AdminServer, AClientThatGoesAwayCancelsItsCall) {
  AdminFixture fixture;
  const auto stub = stub_to(fixture);
  v1::CallResponse response;
  EXPECT_EQ(call(*stub, call_of("sleep"), response, 200ms).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  while (fixture.on_loop([&] { return fixture.queries.cancelled == 0; })) {  // told within a moment
  }
  EXPECT_TRUE(fixture.on_loop([&] { return fixture.queries.calls.empty(); }));
}

TEST(AdminServer, StoppingAnswersOpenQuestionsAndRemovesTheSocket) {
  AdminFixture fixture;
  const auto stub = stub_to(fixture);
  auto open_ping = std::async(std::launch::async, [&] { return ping(*stub, "silent", 60s); });
  while (fixture.on_loop([&] { return fixture.queries.unanswered == nullptr; })) {  // until it has been asked
  }
  fixture.stop();
  const auto code = open_ping.get().error_code();
  EXPECT_TRUE(code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::CANCELLED) << code;
  EXPECT_EQ(::access(fixture.socket_path().c_str(), F_OK), -1);
  fixture.on_loop([&] { fixture.queries.unanswered(v1::PingNodeResponse()); });  // a late answer is dropped
}

}  // namespace
}  // namespace kaido::daemon
