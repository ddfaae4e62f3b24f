#include "daemon/admin/http_server.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "daemon/admin/http_answer.h"
#include "daemon/net/accept_pause.h"
#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

/// How long, and how much of, what a refused client still sends is read, so that it gets to see the refusal: closing a
/// socket with unread bytes resets the connection under the answer.
constexpr std::chrono::milliseconds kDrainTimeout{1000};
constexpr int kDrainReadsMax = 16;

base::Status bind_status(const error_code& error, const std::string& where) {
  const auto text = "cannot serve HTTP on " + where + ": " + error.message();
  if (error == asio::error::address_in_use) {
    return absl::AlreadyExistsError(text + "; choose another http address, or stop what listens there");
  }
  if (error == asio::error::access_denied) {
    return absl::PermissionDeniedError(text + "; ports below 1024 need CAP_NET_BIND_SERVICE");
  }
  return absl::UnavailableError(text);
}

HttpMethod method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return HttpMethod::kGet;
    case http::verb::head:
      return HttpMethod::kHead;
    default:
      return HttpMethod::kOther;
  }
}

}  // namespace

/// Acceptor, bounds and counters; the connections hold it alive, it holds them until they end.
class HttpServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  class Connection;

  Impl(asio::io_context& io_context, HttpServerOptions options, HttpSources sources)
      : options_(std::move(options)),
        sources_(std::move(sources)),
        io_context_(io_context),
        acceptor_(io_context),
        pause_(io_context) {}

  base::Status start();
  void stop();
  void accept();
  void closed(const std::shared_ptr<Connection>& connection) {
    connections_.erase(connection);
    counters_.open = connections_.size();
  }

  HttpServerOptions options_;
  HttpSources sources_;
  HttpServerCounters counters_;
  std::uint16_t port_ = 0;
  bool stopped_ = false;

 private:
  void accepted(const error_code& error, tcp::socket socket);

  asio::io_context& io_context_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
};

/// One client: read a header, answer, again. Every step has a time limit, held by beast's stream.
class HttpServer::Impl::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(tcp::socket socket, std::shared_ptr<Impl> server)
      : server_(std::move(server)), stream_(std::move(socket)), buffer_(server_->options_.header_bytes_max) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(server_->options_.header_bytes_max));
    // One limit for the whole header: a client that sends a byte now and then does not extend it.
    stream_.expires_after(server_->options_.request_timeout);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](error_code error, std::size_t) { self->on_header(error); });
  }

  void close() {
    error_code ignored;  // the descriptor is gone either way
    stream_.socket().close(ignored);
  }

 private:
  void finish() {
    close();
    server_->closed(shared_from_this());
  }

  void on_header(const error_code& error) {
    if (server_->stopped_) {
      return;
    }
    if (error == beast::error::timeout) {
      count_timeout();
      return finish();
    }
    if (error) {
      return on_bad_header(error);
    }
    const auto& request = parser_->get();
    if (parser_->chunked() || parser_->content_length().value_or(0) > 0) {
      ++server_->counters_.bad_requests;
      return write(http_refusal(HttpRefusal::kBody), HttpMethod::kGet, /*keep_alive=*/false);
    }
    ++server_->counters_.requests;
    has_asked_ = true;
    const auto method = method_of(request.method());
    write(http_answer(method, std::string_view(request.target().data(), request.target().size()), server_->sources_),
          method, request.keep_alive());
  }

  void on_bad_header(const error_code& error) {
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      ++server_->counters_.bad_requests;
      return write(http_refusal(HttpRefusal::kHeaderTooLarge), HttpMethod::kGet, /*keep_alive=*/false);
    }
    if (error.category() == http::make_error_code(http::error::bad_value).category() &&
        error != http::error::end_of_stream) {
      ++server_->counters_.bad_requests;
      return write(http_refusal(HttpRefusal::kNotHttp), HttpMethod::kGet, /*keep_alive=*/false);
    }
    server_->counters_.aborted += has_begun() ? 1 : 0;
    finish();  // the client went away
  }

  /// Whether some of a request has come.
  [[nodiscard]] bool has_begun() const { return parser_->got_some() || buffer_.size() > 0; }

  void count_timeout() {
    auto& counters = server_->counters_;
    ++(has_begun() ? counters.timeouts : has_asked_ ? counters.closed_idle : counters.closed_silent);
  }

  void write(HttpAnswer answer, HttpMethod method, bool keep_alive) {
    response_ = http::response<http::string_body>(static_cast<http::status>(answer.status), 11);
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    if (answer.status == 405) {
      response_.set(http::field::allow, "GET, HEAD");
    }
    response_.keep_alive(keep_alive);
    const auto size = answer.body.size();
    if (method != HttpMethod::kHead) {
      response_.body() = std::move(answer.body);
    }
    response_.content_length(size);
    stream_.expires_after(server_->options_.response_timeout);
    http::async_write(stream_, response_,
                      [self = shared_from_this()](error_code error, std::size_t) { self->on_written(error); });
  }

  void on_written(const error_code& error) {
    if (server_->stopped_) {
      return;
    }
    if (error) {
      ++(error == beast::error::timeout ? server_->counters_.timeouts : server_->counters_.aborted);
      return finish();
    }
    if (response_.keep_alive()) {
      response_ = {};
      return read();
    }
    error_code ignored;  // a client that is gone already needs no farewell
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kDrainTimeout);
    buffer_.clear();
    drain(kDrainReadsMax);
  }

  void drain(int reads_left) {
    if (reads_left == 0) {
      return finish();
    }
    stream_.async_read_some(buffer_.prepare(buffer_.max_size()),
                            [self = shared_from_this(), reads_left](error_code error, std::size_t) {
                              if (self->server_->stopped_) {
                                return;
                              }
                              if (error) {
                                return self->finish();
                              }
                              self->drain(reads_left - 1);
                            });
  }

  std::shared_ptr<Impl> server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
  bool has_asked_ = false;
};

base::Status HttpServer::Impl::start() {
  error_code error;
  const auto address = asio::ip::make_address(options_.address, error);
  if (error) {
    return absl::InvalidArgumentError("cannot serve HTTP on '" + options_.address +
                                      "': not a numeric address, such as 127.0.0.1 or ::1");
  }
  const tcp::endpoint endpoint(address, options_.port);
  const auto where = options_.address + " port " + std::to_string(options_.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) {
    acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error) {
    acceptor_.bind(endpoint, error);
  }
  if (!error) {
    acceptor_.listen(asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    const auto status = bind_status(error, where);
    acceptor_.close(error);
    return status;
  }
  port_ = acceptor_.local_endpoint(error).port();
  accept();
  return absl::OkStatus();
}

void HttpServer::Impl::accept() {
  acceptor_.async_accept(io_context_, [self = shared_from_this()](const error_code& error, tcp::socket socket) {
    self->accepted(error, std::move(socket));
  });
}

void HttpServer::Impl::accepted(const error_code& error, tcp::socket socket) {
  if (stopped_) {
    return;
  }
  if (error) {
    ++counters_.accept_errors;
    pause_.expires_after(kAcceptPause);
    pause_.async_wait([self = shared_from_this()](const error_code&) {
      if (!self->stopped_) {
        self->accept();
      }
    });
    return;
  }
  ++counters_.accepted;
  if (connections_.size() >= options_.connections_max) {
    ++counters_.refused_limit;  // closed as `socket` goes out of scope
  } else {
    const auto connection = std::make_shared<Connection>(std::move(socket), shared_from_this());
    connections_.insert(connection);
    counters_.open = connections_.size();
    connection->read();
  }
  accept();
}

void HttpServer::Impl::stop() {
  if (std::exchange(stopped_, true)) {
    return;
  }
  error_code ignored;  // closing cannot be retried
  acceptor_.close(ignored);
  pause_.cancel();
  for (const auto& connection : connections_) {
    connection->close();
  }
  connections_.clear();
  counters_.open = 0;
  sources_ = {};
}

HttpServer::HttpServer(asio::io_context& io_context, HttpServerOptions options, HttpSources sources)
    : impl_(std::make_shared<Impl>(io_context, std::move(options), std::move(sources))) {}

HttpServer::~HttpServer() { KAIDO_CHECK(impl_->stopped_ || impl_->port_ == 0); }

base::Status HttpServer::start() { return impl_->start(); }

void HttpServer::stop() { impl_->stop(); }

std::uint16_t HttpServer::port() const { return impl_->port_; }

HttpServerCounters HttpServer::counters() const { return impl_->counters_; }

}  // namespace kaido::daemon
