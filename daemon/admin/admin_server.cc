#include "daemon/admin/admin_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "daemon/admin/admin_grpc.h"
#include "daemon/admin/admission.h"
#include "daemon/net/accept_pause.h"
#include "daemon/net/socket_file.h"
#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Socket = asio::local::stream_protocol::socket;

/// Connections that wait to be accepted; an operator's tool tries again.
constexpr int kBacklog = 16;
/// How often a connection is looked at whose first bytes came in pieces. (Clients send the preface in one piece.)
constexpr std::chrono::milliseconds kPrefacePause{10};

/// One connection, from accept() until gRPC or the client closes it. After gRPC took it over, this socket is a second
/// descriptor of the same connection, kept to see it end.
struct Session {
  Session(Socket accepted, asio::io_context& io_context)
      : socket(std::move(accepted)), deadline(io_context), pause(io_context) {}
  Socket socket;
  asio::steady_timer deadline;
  asio::steady_timer pause;
};
using SessionPtr = std::shared_ptr<Session>;

bool has_hung_up(int descriptor) {
  pollfd entry{.fd = descriptor, .events = 0, .revents = 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & (POLLHUP | POLLERR)) != 0;
}

bool is_allowed(int descriptor, const std::vector<gid_t>& groups) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         may_administrate({.uid = peer.uid, .gid = peer.gid}, ::geteuid(), groups);
}

/// Looks at the first bytes and leaves them for gRPC. Nothing if the client has gone.
std::optional<AdminPreface> peek_preface(int descriptor) {
  std::array<char, kHttp2Preface.size()> bytes;
  const auto size = ::recv(descriptor, bytes.data(), bytes.size(), MSG_PEEK | MSG_DONTWAIT);
  if (size == 0) return std::nullopt;
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return AdminPreface::kPartial;
  if (size < 0) return std::nullopt;
  return classify_admin_preface(std::string_view(bytes.data(), static_cast<std::size_t>(size)));
}

}  // namespace

class AdminServer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io_context, Post post, AdminQueries& queries, AdminServerOptions options)
      : options_(std::move(options)),
        io_context_(io_context),
        acceptor_(io_context),
        accept_pause_(io_context),
        grpc_(std::move(post), queries,
              {.idle_timeout = options_.idle_timeout,
               .call_timeout = options_.call_timeout,
               .tasks_max = options_.tasks_max}) {}

  base::Status start();
  void stop();

  [[nodiscard]] bool is_running() const { return acceptor_.is_open(); }
  [[nodiscard]] AdminServerCounters counters() const {
    auto counters = counters_;
    counters.open = sessions_.size();
    return counters;
  }

 private:
  void accept();
  void accepted(const error_code& error, Socket socket);
  void await_preface(const SessionPtr& session);
  void examine(const SessionPtr& session);
  void hand_over(const SessionPtr& session);
  void await_end(const SessionPtr& session);
  void end(const SessionPtr& session);
  [[nodiscard]] bool is_gone(const SessionPtr& session) const { return !sessions_.contains(session); }

  const AdminServerOptions options_;
  asio::io_context& io_context_;
  asio::local::stream_protocol::acceptor acceptor_;
  asio::steady_timer accept_pause_;
  std::unique_ptr<SocketFile> file_;
  std::unordered_set<SessionPtr> sessions_;
  AdminServerCounters counters_;
  AdminGrpc grpc_;
};

base::Status AdminServer::Impl::start() {
  KAIDO_CHECK(!is_running());
  auto file = SocketFile::listen(options_.socket_path, options_.socket_mode, kBacklog);
  if (!file.ok()) {
    return file.status();
  }
  file_ = *std::move(file);
  error_code error;
  acceptor_.assign(asio::local::stream_protocol(), file_->release_descriptor().release(), error);
  KAIDO_CHECK(!error);
  accept();
  return absl::OkStatus();
}

void AdminServer::Impl::accept() {
  acceptor_.async_accept(io_context_, [self = shared_from_this()](const error_code& error, Socket socket) {
    self->accepted(error, std::move(socket));
  });
}

void AdminServer::Impl::accepted(const error_code& error, Socket socket) {
  if (!is_running()) {
    return;
  }
  if (error) {
    ++counters_.accept_errors;
    accept_pause_.expires_after(kAcceptPause);
    accept_pause_.async_wait([self = shared_from_this()](const error_code&) {
      if (self->is_running()) {
        self->accept();
      }
    });
    return;
  }
  // Refused connections are closed as `socket` goes out of scope.
  ++counters_.accepted;
  if (!is_allowed(socket.native_handle(), options_.allowed_groups)) {
    ++counters_.refused_credentials;
  } else if (sessions_.size() >= options_.connections_max) {
    ++counters_.refused_limit;
  } else {
    const auto session = std::make_shared<Session>(std::move(socket), io_context_);
    sessions_.insert(session);
    session->deadline.expires_after(options_.handshake_timeout);
    session->deadline.async_wait([self = shared_from_this(), session](const error_code& cancelled) {
      if (!cancelled && !self->is_gone(session)) {
        ++self->counters_.refused_silent;
        self->end(session);
      }
    });
    await_preface(session);
  }
  accept();
}

void AdminServer::Impl::await_preface(const SessionPtr& session) {
  session->socket.async_wait(Socket::wait_read, [self = shared_from_this(), session](const error_code&) {
    if (!self->is_gone(session)) {
      self->examine(session);
    }
  });
}

void AdminServer::Impl::examine(const SessionPtr& session) {
  const auto preface = peek_preface(session->socket.native_handle());
  if (!preface) return end(session);
  switch (*preface) {
    case AdminPreface::kComplete:
      session->deadline.cancel();
      return hand_over(session);
    case AdminPreface::kForeign:
      ++counters_.refused_foreign;
      return end(session);
    case AdminPreface::kPartial:
      // The socket stays readable, so waiting for that would spin.
      session->pause.expires_after(kPrefacePause);
      session->pause.async_wait([self = shared_from_this(), session](const error_code&) {
        if (!self->is_gone(session)) {
          self->examine(session);
        }
      });
      return;
  }
}

void AdminServer::Impl::hand_over(const SessionPtr& session) {
  error_code error;
  session->socket.native_non_blocking(true, error);
  const int descriptor = ::fcntl(session->socket.native_handle(), F_DUPFD_CLOEXEC, 0);
  if (error || descriptor < 0) {
    ++counters_.accept_errors;
    return end(session);
  }
  grpc_.adopt(descriptor);
  await_end(session);
}

void AdminServer::Impl::await_end(const SessionPtr& session) {
  session->socket.async_wait(Socket::wait_error, [self = shared_from_this(), session](const error_code& error) {
    if (self->is_gone(session)) {
      return;
    }
    if (error || has_hung_up(session->socket.native_handle())) {
      return self->end(session);
    }
    self->await_end(session);
  });
}

void AdminServer::Impl::end(const SessionPtr& session) {
  sessions_.erase(session);
  session->deadline.cancel();
  session->pause.cancel();
  error_code ignored;  // the descriptor is gone either way
  session->socket.close(ignored);
}

void AdminServer::Impl::stop() {
  if (!is_running()) {
    return;
  }
  error_code ignored;  // closing cannot be retried
  acceptor_.close(ignored);
  accept_pause_.cancel();
  file_.reset();
  while (!sessions_.empty()) {
    end(SessionPtr(*sessions_.begin()));
  }
  grpc_.stop();
}

AdminServer::AdminServer(asio::io_context& io_context, Post post, AdminQueries& queries, AdminServerOptions options)
    : impl_(std::make_shared<Impl>(io_context, std::move(post), queries, std::move(options))) {}

AdminServer::~AdminServer() { KAIDO_CHECK(!impl_->is_running()); }

base::Status AdminServer::start() { return impl_->start(); }

void AdminServer::stop() { impl_->stop(); }

AdminServerCounters AdminServer::counters() const { return impl_->counters(); }

}  // namespace kaido::daemon
