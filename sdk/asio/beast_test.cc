// Beast unchanged in tasks: an HTTP server with its clients, and a WebSocket client against an echo server.
#include <kaido/asio.h>

#include <chrono>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <kaido/join_set.h>
#include <kaido/select.h>
#include <kaido/time.h>

#include "sdk/asio/support.h"

namespace kaido {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using namespace std::chrono_literals;
using testing::AsioTest;
using testing::connected_pair;
using testing::SocketPair;

KAIDO_ASIO_FLAVOURS(AsioTest);

Task<void> serve_connection(tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer;
  for (;;) {
    http::request<http::string_body> request;
    const auto read = co_await http::async_read(stream, buffer, request, use_task);
    if (!read) co_return;
    http::response<http::string_body> response(http::status::ok, request.version());
    response.keep_alive(request.keep_alive());
    response.body() = "echo of " + request.body();
    response.prepare_payload();
    const auto written = co_await http::async_write(stream, response, use_task);
    if (!written || !response.keep_alive()) co_return;
  }
}

Task<void> serve(tcp::acceptor& acceptor) {
  JoinSet<void> connections;
  for (;;) {
    auto accepted = co_await acceptor.async_accept(use_task);
    if (!accepted) co_return;
    connections.spawn(serve_connection(std::move(*accepted)));
  }
}

Task<std::string> post(tcp::endpoint server, std::string body) {
  beast::tcp_stream stream(io_executor());
  (co_await stream.async_connect(server, use_task)).value();
  http::request<http::string_body> request(http::verb::post, "/", 11);
  request.body() = std::move(body);
  request.prepare_payload();
  (co_await http::async_write(stream, request, use_task)).value();
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  (co_await http::async_read(stream, buffer, response, use_task)).value();
  co_return response.body();
}

TEST_P(AsioTest, AnHttpServerInTasksAnswersItsClients) {
  runtime_.block_on([]() -> Task<void> {
    tcp::acceptor acceptor(io_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    auto clients = [&]() -> Task<void> {
      JoinSet<std::string> set;
      for (int i = 0; i < 20; ++i) set.spawn(post(acceptor.local_endpoint(), std::to_string(i)));
      int answers = 0;
      for (;;) {
        const auto next = co_await set.join_next();
        if (!next) break;
        EXPECT_EQ(next->value().substr(0, 8), "echo of ");
        ++answers;
      }
      EXPECT_EQ(answers, 20);
    };
    co_await select(on(serve(acceptor), [] { ADD_FAILURE(); }), on(clients(), [] {}));
  });
}

Task<void> serve_echo(tcp::socket socket) {
  websocket::stream<beast::tcp_stream> stream(std::move(socket));
  (co_await stream.async_accept(use_task)).value();
  for (;;) {
    beast::flat_buffer buffer;
    const auto read = co_await stream.async_read(buffer, use_task);
    if (!read) co_return;
    stream.text(stream.got_text());
    (co_await stream.async_write(buffer.data(), use_task)).value();
  }
}

TEST_P(AsioTest, AWebSocketClientTalksToItsServer) {
  runtime_.block_on([]() -> Task<void> {
    SocketPair pair = co_await connected_pair();
    auto serving = spawn(serve_echo(std::move(pair.server)));
    websocket::stream<beast::tcp_stream> stream(std::move(pair.client));
    (co_await stream.async_handshake("localhost", "/", use_task)).value();
    for (int i = 0; i < 50; ++i) {
      const std::string text = "message " + std::to_string(i);
      (co_await stream.async_write(asio::buffer(text), use_task)).value();
      beast::flat_buffer buffer;
      (co_await stream.async_read(buffer, use_task)).value();
      EXPECT_EQ(beast::buffers_to_string(buffer.data()), text);
    }
    (co_await stream.async_close(websocket::close_code::normal, use_task)).value();
    const auto ended = co_await serving;
    EXPECT_TRUE(ended.has_value());
  });
}

TEST_P(AsioTest, AWebSocketReadThatLosesIsCancelled) {
  runtime_.block_on([]() -> Task<void> {
    SocketPair pair = co_await connected_pair();
    auto serving = spawn(serve_echo(std::move(pair.server)));
    {
      websocket::stream<beast::tcp_stream> stream(std::move(pair.client));
      (co_await stream.async_handshake("localhost", "/", use_task)).value();
      beast::flat_buffer buffer;
      const auto late = co_await timeout(2ms, stream.async_read(buffer, use_task));
      EXPECT_TRUE(late.has_error() && late.error().is_timed_out());
    }
    serving.abort();
    static_cast<void>(co_await serving);
    EXPECT_TRUE(serving.is_finished());
  });
}

// Written for Asio alone: the runtime is its executor.
asio::awaitable<std::string> ask(tcp::endpoint server, std::string question) {
  auto strand = asio::make_strand(co_await asio::this_coro::executor);
  beast::tcp_stream stream(strand);
  co_await stream.async_connect(server, asio::use_awaitable);
  http::request<http::string_body> request(http::verb::post, "/", 11);
  request.body() = std::move(question);
  request.prepare_payload();
  co_await http::async_write(stream, request, asio::use_awaitable);
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  co_await http::async_read(stream, buffer, response, asio::use_awaitable);
  co_return response.body();
}

TEST_P(AsioTest, CoroutinesOfAsiosRunOnTheRuntime) {
  runtime_.block_on([]() -> Task<void> {
    tcp::acceptor acceptor(io_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    auto serving = spawn([&]() -> Task<void> { co_await serve(acceptor); });
    for (int i = 0; i < 5; ++i) {
      const std::string answer = co_await asio::co_spawn(executor(), ask(acceptor.local_endpoint(), "Asio"), use_task);
      EXPECT_EQ(answer, "echo of Asio");
    }
    serving.abort();
    static_cast<void>(co_await serving);
  });
}

}  // namespace
}  // namespace kaido
