#include "daemon/admin/http_server.h"

#include <chrono>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <gtest/gtest.h>

#include "daemon/admin/http_answer.h"
#include "proto/base/status.h"

namespace kaido::daemon {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using namespace std::chrono_literals;

HttpSources sources_of(NodeReadiness readiness) {
  return {.readiness = [readiness] { return readiness; }, .metrics = [] { return std::string("kaido_up 1\n"); }};
}

TEST(HttpAnswer, SaysAliveReadyOrWhyNot) {
  const auto ready = sources_of({.ready = true, .reason = ""});
  EXPECT_EQ(http_answer(HttpMethod::kGet, "/healthz", ready).status, 200u);
  EXPECT_EQ(http_answer(HttpMethod::kGet, "/readyz?verbose", ready).status, 200u);
  const auto draining = sources_of({.ready = false, .reason = "draining"});
  EXPECT_EQ(http_answer(HttpMethod::kGet, "/healthz", draining).status, 200u);
  const auto answer = http_answer(HttpMethod::kGet, "/readyz", draining);
  EXPECT_EQ(answer.status, 503u);
  EXPECT_EQ(answer.body, "not ready: draining\n");
}

TEST(HttpAnswer, ServesMetricsAsPrometheusText) {
  const auto answer = http_answer(HttpMethod::kGet, "/metrics", sources_of({}));
  EXPECT_EQ(answer.body, "kaido_up 1\n");
  EXPECT_EQ(answer.content_type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST(HttpAnswer, RefusesOtherPathsAndMethods) {
  EXPECT_EQ(http_answer(HttpMethod::kGet, "/", sources_of({})).status, 404u);
  EXPECT_EQ(http_answer(HttpMethod::kGet, "/healthz/", sources_of({})).status, 404u);
  EXPECT_EQ(http_answer(HttpMethod::kOther, "/nothing", sources_of({})).status, 404u);
  EXPECT_EQ(http_answer(HttpMethod::kOther, "/healthz", sources_of({})).status, 405u);
}

TEST(HttpAnswer, TakesAbsoluteTargetsToo) {
  const HttpSources sources = sources_of({});
  for (const auto* target :
       {"http://node-a:7680/healthz", "HTTP://node-a/healthz?verbose", "https://[::1]:1/healthz"}) {
    EXPECT_EQ(http_answer(HttpMethod::kGet, target, sources).status, 200u) << target;
  }
  for (const auto* target :
       {"http://node-a", "http://", "http://node-a?/healthz", "ftp://node-a/healthz", "http:/healthz"}) {
    EXPECT_EQ(http_answer(HttpMethod::kGet, target, sources).status, 404u) << target;
  }
}

TEST(HttpAnswer, ASourceThatThrowsIsAnInternalError) {
  const HttpSources broken{.readiness = [] { return NodeReadiness(); },
                           .metrics = []() -> std::string { throw std::runtime_error("no memory"); }};
  EXPECT_EQ(http_answer(HttpMethod::kGet, "/metrics", broken).status, 500u);
}

/// A server on a thread of its own, and raw clients.
class HttpServerTest : public testing::Test {
 protected:
  void start(HttpServerOptions options = {}) {
    server_ = std::make_unique<HttpServer>(io_context_, options, sources_of({.ready = true, .reason = ""}));
    ASSERT_TRUE(server_->start().ok());
    thread_ = std::thread([this] { io_context_.run(); });
  }

  ~HttpServerTest() override {
    if (thread_.joinable()) {
      on_loop([this] { server_->stop(); });
      work_.reset();
      thread_.join();
    }
  }

  template <class Function>
  std::invoke_result_t<Function> on_loop(Function function) {
    std::packaged_task<std::invoke_result_t<Function>()> task(std::move(function));
    auto result = task.get_future();
    asio::post(io_context_, std::move(task));
    return result.get();
  }

  HttpServerCounters counters() {
    return on_loop([this] { return server_->counters(); });
  }

  tcp::socket connect() {
    tcp::socket socket(client_context_);
    socket.connect({asio::ip::address_v4::loopback(), server_->port()});
    return socket;
  }

  /// Everything until the server closes.
  static std::string read_all(tcp::socket& socket) {
    std::string text;
    error_code error;  // the end of the stream, or a reset: a refused connection may see either
    asio::read(socket, asio::dynamic_buffer(text), error);
    return text;
  }

  static std::string read_answer(tcp::socket& socket) {
    std::string text;
    const auto header = asio::read_until(socket, asio::dynamic_buffer(text), "\r\n\r\n");
    const auto at = text.find("Content-Length: ");
    const auto length = at == std::string::npos ? 0 : std::stoul(text.substr(at + 16));
    asio::read(socket, asio::dynamic_buffer(text), asio::transfer_exactly(header + length - text.size()));
    return text;
  }

  std::string exchange(const std::string& bytes) {
    auto socket = connect();
    asio::write(socket, asio::buffer(bytes));
    return read_all(socket);
  }

  asio::io_context io_context_;
  asio::io_context client_context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_context_.get_executor()};
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(HttpServerTest, AnswersAndClosesWhenAsked) {
  start();
  const auto answer = exchange("GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nready\n")) << answer;
}

TEST_F(HttpServerTest, KeepsTheConnectionForFurtherRequests) {
  start();
  auto socket = connect();
  for (int i = 0; i < 3; ++i) {
    asio::write(socket, asio::buffer(std::string("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")));
    EXPECT_TRUE(read_answer(socket).ends_with("\r\n\r\nkaido_up 1\n"));
  }
  EXPECT_EQ(counters().requests, 3u);
  EXPECT_EQ(counters().accepted, 1u);
}

TEST_F(HttpServerTest, AnswersRequestsThatArriveTogetherInOrder) {
  start();
  const auto answer = exchange(
      "GET /healthz HTTP/1.1\r\n\r\nHEAD /metrics HTTP/1.1\r\n\r\nGET /no HTTP/1.1\r\nConnection: close\r\n\r\n");
  const auto ok = answer.find("\r\n\r\nok\n");
  const auto head = answer.find("Content-Length: 11\r\n\r\nHTTP/1.1 404", ok);
  EXPECT_NE(head, std::string::npos) << answer;
}

TEST_F(HttpServerTest, RefusesOtherMethodsAndBodies) {
  start();
  const auto method = exchange("DELETE /metrics HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(method.starts_with("HTTP/1.1 405 ")) << method;
  EXPECT_NE(method.find("\r\nAllow: GET, HEAD\r\n"), std::string::npos) << method;
  EXPECT_TRUE(exchange("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").starts_with("HTTP/1.1 413 "));
  EXPECT_TRUE(
      exchange("GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").starts_with("HTTP/1.1 413 "));
  EXPECT_EQ(counters().bad_requests, 2u);
  EXPECT_EQ(counters().requests, 1u) << "junk is not counted as answered";
}

TEST_F(HttpServerTest, SurvivesGarbage) {
  start();
  const std::vector<std::string> garbage = {
      "hello\r\n\r\n",
      std::string("\0\1\2\3\xff\xfe\r\n\r\n", 10),
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
      "GET  /metrics HTTP/1.1\r\n: x\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client\r\n\r\n",
  };
  for (const auto& bytes : garbage) {
    const auto answer = exchange(bytes);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 4")) << bytes << " -> " << answer;
  }
  EXPECT_EQ(counters().bad_requests, garbage.size());
  EXPECT_TRUE(exchange("GET /healthz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, BoundsTheHeader) {
  start({.header_bytes_max = 1024});
  const auto answer = exchange("GET /metrics HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 431 ")) << answer;
}

TEST_F(HttpServerTest, ClosesOnSilentAndSlowClients) {
  start({.request_timeout = 100ms});
  auto silent = connect();
  auto slow = connect();
  asio::write(slow, asio::buffer(std::string("GET /metr")));
  EXPECT_EQ(read_all(silent), "");
  EXPECT_EQ(read_all(slow), "");
  EXPECT_EQ(counters().closed_silent, 1u);
  EXPECT_EQ(counters().timeouts, 1u);
  EXPECT_EQ(counters().requests, 0u);
  EXPECT_EQ(counters().open, 0u);
}

TEST_F(HttpServerTest, AConnectionThatHasNothingMoreToAskIsIdleAndNoError) {
  start({.request_timeout = 100ms});
  auto kept = connect();
  asio::write(kept, asio::buffer(std::string("GET http://node/healthz HTTP/1.1\r\nHost: node\r\n\r\n")));
  EXPECT_TRUE(read_answer(kept).starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(read_all(kept), "");
  EXPECT_EQ(counters().requests, 1u);
  EXPECT_EQ(counters().closed_idle, 1u);
  EXPECT_EQ(counters().closed_silent, 0u);
  EXPECT_EQ(counters().timeouts, 0u);
}

TEST_F(HttpServerTest, RefusesMoreConnectionsThanItsBoundAndRecovers) {
  start({.connections_max = 2});
  std::vector<tcp::socket> sockets;
  for (int i = 0; i < 2; ++i) {
    sockets.push_back(connect());
    asio::write(sockets.back(), asio::buffer(std::string("GET /healthz HTTP/1.1\r\n\r\n")));
    read_answer(sockets.back());
  }
  auto third = connect();
  EXPECT_EQ(read_all(third), "");
  EXPECT_EQ(counters().refused_limit, 1u);
  sockets.clear();
  while (counters().open > 0) {  // the server sees their end in turns of its loop
  }
  EXPECT_TRUE(exchange("GET /healthz HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, StoppingClosesEveryConnection) {
  start();
  auto socket = connect();
  asio::write(socket, asio::buffer(std::string("GET /healthz HTTP/1.1\r\n\r\n")));
  read_answer(socket);
  on_loop([this] { server_->stop(); });
  EXPECT_EQ(read_all(socket), "");
  EXPECT_EQ(counters().open, 0u);
}

TEST_F(HttpServerTest, SaysWhyItCannotListen) {
  start();
  HttpServer taken(io_context_, {.port = server_->port()}, sources_of({}));
  EXPECT_TRUE(absl::IsAlreadyExists(taken.start()));
  HttpServer nonsense(io_context_, {.address = "localhost"}, sources_of({}));
  EXPECT_TRUE(absl::IsInvalidArgument(nonsense.start()));
}

}  // namespace
}  // namespace kaido::daemon
