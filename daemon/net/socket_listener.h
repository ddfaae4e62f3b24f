/// Accepts on a listening socket, Unix or TCP.
#pragma once

#include <functional>
#include <memory>

#include "daemon/net/establish.h"
#include "daemon/net/transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/runtime/socket_stream.h"
#include "daemon/runtime/timer.h"
#include "daemon/security/security_provider.h"

namespace kaido::daemon {

/// The listening socket is watched like a data connection, so that a turn accepts all that wait with one accept4 each;
/// an Asio acceptor would take a turn, and two further system calls, for each. When the system is out of descriptors or
/// memory the listener pauses and tries again: it never dies of that.
///
/// Threading: confined to the loop's thread. May be destroyed inside on_accept.
class SocketListener final : public Listener, private IoSource {
 public:
  using MakeStream = std::function<std::unique_ptr<ByteStream>(Descriptor)>;

  /// `socket` listens already. `on_end` is called by the destructor, after the socket was closed.
  SocketListener(Loop& loop, SecurityProvider& security, Descriptor socket, Address address,
                 const ListenOptions& options, Transport::OnAccept on_accept, MakeStream make_stream,
                 std::function<void()> on_end);
  ~SocketListener() override;

  [[nodiscard]] const Address& address() const override { return address_; }
  [[nodiscard]] const ListenerStats& stats() const override { return gate_.stats(); }

 private:
  void on_ready(Readiness ready) override;
  void pause();

  Loop& loop_;
  Descriptor socket_;
  const Address address_;
  AcceptGate gate_;
  const MakeStream make_stream_;
  const std::function<void()> on_end_;
  WatchToken token_;
  Timer retry_;
  bool* destroyed_ = nullptr;
};

}  // namespace kaido::daemon
