#include "daemon/net/socket_listener.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "daemon/net/accept_pause.h"

namespace kaido::daemon {
namespace {

// Connections taken in one turn: a storm of them must not hold up those that are established.
constexpr int kAcceptsPerTurn = 64;

}  // namespace

SocketListener::SocketListener(Loop& loop, SecurityProvider& security, Descriptor socket, Address address,
                               const ListenOptions& options, Transport::OnAccept on_accept, MakeStream make_stream,
                               std::function<void()> on_end)
    : loop_(loop),
      socket_(std::move(socket)),
      address_(std::move(address)),
      gate_(loop, security, options, std::move(on_accept)),
      make_stream_(std::move(make_stream)),
      on_end_(std::move(on_end)),
      token_(loop.watch(socket_.get(), *this, {.readable = true})),
      retry_(loop, [this] { loop_.set_interest(token_, {.readable = true}); }) {}

SocketListener::~SocketListener() {
  KAIDO_CHECK_ON(loop_);
  if (destroyed_ != nullptr) *destroyed_ = true;
  loop_.unwatch(token_);
  socket_.reset();
  if (on_end_) on_end_();
}

void SocketListener::on_ready(Readiness) {
  bool destroyed = false;
  destroyed_ = &destroyed;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Descriptor accepted(::accept4(socket_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (accepted.valid()) {
      gate_.admit(make_stream_(std::move(accepted)));
      if (destroyed) return;
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      loop_.note_drained();
      break;
    }
    // The connection was gone before it was taken, or its network had a fault; there may be others behind it.
    if (errno == EINTR || errno == ECONNABORTED) continue;
    ++gate_.stats().accept_errors;
    pause();
    break;
  }
  destroyed_ = nullptr;
}

void SocketListener::pause() {
  loop_.set_interest(token_, {});
  retry_.set_after(kAcceptPause);
}

}  // namespace kaido::daemon
