/// The composition root: builds every room, binds them, starts and stops them in order.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/net/address.h"
#include "daemon/runtime/loop.h"
#include "daemon/settings/settings.h"
#include "daemon/telemetry/log.h"
#include "proto/base/status.h"

namespace kaido::daemon {

/// One node in one process.
///
///     Loop loop;
///     auto node = Node::start(loop, settings, log);      // sockets listen when it returns
///     loop.run();                                        // until the drain that begin_stop() started is over
///
/// Threading: confined to the loop's thread.
/// Lifetime: the loop outlives it. begin_stop() and the end of run() first for a polite end; destruction alone drops
/// every connection.
class Node {
 public:
  /// Errors: what kept it from starting and what to do, e.g. a taken socket, a held state folder.
  [[nodiscard]] static base::StatusOr<std::unique_ptr<Node>> start(Loop& loop, const Settings& settings, Logger log);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Takes no new apps, peers and tasks; what runs may finish within timeouts.drain. Then says goodbye to everybody and
  /// stops the loop. The second call does not wait.
  void begin_stop(const std::string& why);

  [[nodiscard]] bool is_draining() const;
  /// As bound, with the real ports.
  [[nodiscard]] std::optional<Address> peer_address() const;
  [[nodiscard]] std::optional<std::uint16_t> http_port() const;

 private:
  class Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kaido::daemon
