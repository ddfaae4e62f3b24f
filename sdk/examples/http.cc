// Beast in tasks: an HTTP server on loopback, and a client that asks it, with a time limit.
#include <kaido/asio.h>
#include <kaido/kaido.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <kaido/select.h>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

kaido::Task<void> answer(tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer;
  for (;;) {
    http::request<http::string_body> request;
    // An IoResult: false, and an error code, when the peer has gone.
    const auto read = co_await http::async_read(stream, buffer, request, kaido::use_task);
    if (!read) co_return;
    http::response<http::string_body> response(http::status::ok, request.version());
    response.body() = "Hello, " + request.body() + "!";
    response.prepare_payload();
    const auto written = co_await http::async_write(stream, response, kaido::use_task);
    if (!written) co_return;
  }
}

kaido::Task<void> serve(tcp::acceptor acceptor) {
  kaido::JoinSet<void> connections;  // Dropped with the server: then the connections are aborted.
  for (;;) {
    auto socket = co_await acceptor.async_accept(kaido::use_task);
    if (socket) connections.spawn(answer(std::move(*socket)));
  }
}

kaido::Task<std::string> ask(tcp::endpoint server, std::string name) {
  beast::tcp_stream stream(kaido::io_executor());
  (co_await stream.async_connect(server, kaido::use_task)).value();
  http::request<http::string_body> request(http::verb::post, "/", 11);
  request.body() = std::move(name);
  request.prepare_payload();
  (co_await http::async_write(stream, request, kaido::use_task)).value();
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  (co_await http::async_read(stream, buffer, response, kaido::use_task)).value();
  co_return response.body();
}

kaido::Task<int> run() {
  tcp::acceptor acceptor(kaido::io_executor(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const tcp::endpoint here = acceptor.local_endpoint();
  auto server = kaido::spawn(serve(std::move(acceptor)));
  const auto reply = co_await kaido::timeout(10s, ask(here, "Beast"));
  server.abort();  // Its accept is cancelled, and its frame goes when that has ended.
  static_cast<void>(co_await server);
  if (!reply) co_return 1;
  std::printf("%s\n", reply->c_str());
  co_return 0;
}

int main() {
  auto runtime = kaido::Runtime::create().value();
  return runtime.block_on(run());
}
