#include "daemon/net/tcp_transport.h"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "daemon/net/establish.h"
#include "daemon/net/socket_address.h"
#include "daemon/net/socket_listener.h"

namespace kaido::daemon {
namespace {

using boost::asio::ip::tcp;

base::StatusOr<Descriptor> bind_and_listen(const SocketAddress& address, const std::string& what) {
  Descriptor socket = make_socket(address.family());
  if (!socket.valid()) return system_error(errno, what);
  // A restarted node takes its port again although connections of its former life are still winding down.
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), address.get(), address.size) != 0 || ::listen(socket.get(), SOMAXCONN) != 0) {
    return system_error(errno, what);
  }
  return socket;
}

std::uint16_t bound_port(const Descriptor& socket) {
  SocketAddress bound;
  bound.size = sizeof bound.storage;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound.storage), &bound.size);
  return bound.port();
}

/// Resolves, then tries one address after the other.
class TcpDial final : public std::enable_shared_from_this<TcpDial>, private IoSource {
 public:
  TcpDial(Loop& loop, SecurityProvider& security, Dial& dial, Address target)
      : loop_(loop), security_(security), dial_(&dial), target_(std::move(target)), resolver_(loop.io()) {}

  void start() {
    if (const auto numeric = numeric_tcp_address(target_.host(), target_.port())) {
      candidates_.push_back(*numeric);
      try_next();
      return;
    }
    resolver_.async_resolve(
        target_.host(), std::to_string(target_.port()),
        [self = shared_from_this()](const boost::system::error_code& error,
                                    const tcp::resolver::results_type& results) { self->resolved(error, results); });
  }

  // After this nothing is reported to the dial, which may be gone.
  void stop() {
    dial_ = nullptr;
    resolver_.cancel();
    drop_socket();
  }

 private:
  void resolved(const boost::system::error_code& error, const tcp::resolver::results_type& results) {
    if (dial_ == nullptr) return;
    if (error) {
      dial_->failed(absl::UnavailableError("cannot resolve " + target_.to_string() + ": " + error.message()));
      return;
    }
    for (const auto& result : results) {
      SocketAddress address;
      address.size = static_cast<socklen_t>(result.endpoint().size());
      std::memcpy(&address.storage, result.endpoint().data(), address.size);
      candidates_.push_back(address);
    }
    try_next();
  }

  void try_next() {
    while (next_ < candidates_.size()) {
      const SocketAddress& address = candidates_[next_++];
      const Endpoint endpoint = tcp_endpoint(address);
      last_error_ = security_.check(endpoint, StreamRole::kConnecting);
      if (!last_error_.ok()) continue;
      const std::string what = "cannot connect to " + endpoint.text;
      socket_ = make_socket(address.family());
      if (!socket_.valid()) {
        last_error_ = system_error(errno, what);
        continue;
      }
      if (::connect(socket_.get(), address.get(), address.size) == 0 || errno == EINPROGRESS) {
        token_ = loop_.watch(socket_.get(), *this, {.writable = true});
        return;
      }
      last_error_ = system_error(errno, what);
      drop_socket();
    }
    dial_->failed(last_error_.ok() ? absl::UnavailableError(target_.to_string() + " has no address") : last_error_);
  }

  void on_ready(Readiness) override {
    const auto self = shared_from_this();  // the dial lets go of us when it is told
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) {
      loop_.unwatch(std::exchange(token_, {}));
      dial_->connected(tcp_stream(std::move(socket_)));
      return;
    }
    last_error_ = system_error(error, "cannot connect to " + tcp_endpoint(candidates_[next_ - 1]).text);
    drop_socket();
    try_next();
  }

  void drop_socket() {
    loop_.unwatch(std::exchange(token_, {}));
    socket_.reset();
  }

  Loop& loop_;
  SecurityProvider& security_;
  Dial* dial_;
  const Address target_;
  tcp::resolver resolver_;
  std::vector<SocketAddress> candidates_;
  std::size_t next_ = 0;
  Descriptor socket_;
  WatchToken token_;
  base::Status last_error_;
};

}  // namespace

base::StatusOr<std::unique_ptr<Listener>> TcpTransport::listen(const Address& address, const ListenOptions& options,
                                                               OnAccept on_accept) {
  if (address.kind() != Address::Kind::kTcp)
    return absl::InvalidArgumentError(address.to_string() + " is no tcp address");
  const std::string what = "cannot listen on " + address.to_string();
  const std::optional<SocketAddress> target = numeric_tcp_address(address.host(), address.port());
  if (!target) {
    return absl::InvalidArgumentError(what + ": the host to listen on is an IP address or localhost, not a name");
  }
  KAIDO_RETURN_IF_ERROR(security_.check(tcp_endpoint(*target), StreamRole::kAccepting));
  auto socket = bind_and_listen(*target, what);
  if (!socket.ok()) return std::move(socket).status();
  const Address bound = Address::tcp(address.host(), bound_port(*socket));
  return std::make_unique<SocketListener>(loop_, security_, *std::move(socket), bound, options, std::move(on_accept),
                                          tcp_stream, nullptr);
}

std::unique_ptr<ConnectOperation> TcpTransport::connect(const Address& address, base::Instant deadline,
                                                        const ConnectionOptions& options, OnConnect on_connect) {
  const auto dial =
      std::make_shared<Dial>(loop_, security_, address.to_string(), deadline, options, std::move(on_connect));
  auto handle = dial->start();
  if (address.kind() != Address::Kind::kTcp) {
    dial->failed(absl::InvalidArgumentError(address.to_string() + " is no tcp address"));
    return handle;
  }
  const auto attempt = std::make_shared<TcpDial>(loop_, security_, *dial, address);
  dial->set_stop([attempt] { attempt->stop(); });
  attempt->start();
  return handle;
}

}  // namespace kaido::daemon
