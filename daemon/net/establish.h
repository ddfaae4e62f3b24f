/// What all transports do alike to turn a raw stream into a Connection: limits, the security handshake, deadlines.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "daemon/net/connection.h"
#include "daemon/net/transport.h"
#include "daemon/runtime/byte_stream.h"
#include "daemon/runtime/loop.h"
#include "daemon/runtime/timer.h"
#include "daemon/security/security_provider.h"
#include "proto/base/status.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// A listener's door: counts its connections, shakes hands with the new ones, and hands them to their owner.
///
/// Threading: confined to the loop's thread.
class AcceptGate final {
 public:
  AcceptGate(Loop& loop, SecurityProvider& security, const ListenOptions& options, Transport::OnAccept on_accept);
  AcceptGate(const AcceptGate&) = delete;
  AcceptGate& operator=(const AcceptGate&) = delete;

  /// May end in on_accept, which may destroy this gate.
  void admit(std::unique_ptr<ByteStream> raw);

  [[nodiscard]] ListenerStats& stats() { return stats_; }
  [[nodiscard]] const ListenerStats& stats() const { return stats_; }

 private:
  void finish(std::uint64_t id, std::shared_ptr<void> keep, base::StatusOr<std::unique_ptr<ByteStream>> stream);

  Loop& loop_;
  SecurityProvider& security_;
  const ListenOptions options_;
  const std::shared_ptr<const Transport::OnAccept> on_accept_;  // shared: it may destroy us while it runs
  const std::shared_ptr<std::size_t> live_ = std::make_shared<std::size_t>(0);
  std::map<std::uint64_t, std::unique_ptr<HandshakeOperation>> handshakes_;  // null: finished inside secure()
  std::uint64_t next_id_ = 1;
  ListenerStats stats_;
};

/// One attempt to connect, from the caller's side: a deadline, the handshake, and exactly one call of on_connect, in a
/// later turn. The transport reports connected() or failed() once it knows.
///
/// Threading: confined to the loop's thread.
class Dial final : public std::enable_shared_from_this<Dial> {
 public:
  Dial(Loop& loop, SecurityProvider& security, std::string target, base::Instant deadline,
       const ConnectionOptions& options, Transport::OnConnect on_connect);

  /// What the caller holds; destroying it abandons the attempt. Also starts the deadline.
  [[nodiscard]] std::unique_ptr<ConnectOperation> start();

  /// `stop` ends what the transport has under way; called once, when the attempt is over in whatever way.
  void set_stop(std::function<void()> stop) { stop_ = std::move(stop); }

  void connected(std::unique_ptr<ByteStream> raw);
  void failed(base::Status reason);
  void abandon();

  [[nodiscard]] bool is_over() const { return over_; }

 private:
  void secured(base::StatusOr<std::unique_ptr<ByteStream>> stream);
  void finish(base::StatusOr<std::unique_ptr<Connection>> result);

  Loop& loop_;
  SecurityProvider& security_;
  const std::string target_;
  const base::Instant deadline_;
  const ConnectionOptions options_;
  Transport::OnConnect on_connect_;
  std::function<void()> stop_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<HandshakeOperation> handshake_;
  bool over_ = false;
  bool abandoned_ = false;
};

}  // namespace kaido::daemon
