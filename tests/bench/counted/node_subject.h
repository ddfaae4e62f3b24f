/// One node's deciding half as the counting harness sees it: bytes in, bytes out, nothing else.
///
/// Which code that is, is the business of node_subject.cc alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

namespace kaido::bench {

/// Connections are numbered by the subject, in the order in which they were opened.
using ConnectionId = std::uint32_t;

/// A node without sockets. Time stands still: it does so within a turn anyway.
///
/// Threading: one thread.
class NodeSubject {
 public:
  virtual ~NodeSubject() = default;

  /// An app connects; a peer connects; the node itself has connected to a peer.
  [[nodiscard]] virtual ConnectionId open_app() = 0;
  [[nodiscard]] virtual ConnectionId accept_peer() = 0;
  [[nodiscard]] virtual ConnectionId dial_peer() = 0;

  /// Bytes of whole frames, as one read brought them.
  virtual void receive(ConnectionId connection, std::span<const std::byte> bytes) = 0;
  /// Everything that was ready has been received: what is to be sent must be in output() when this returns.
  virtual void end_turn() = 0;

  /// What is to be written to the connection; written() when it was, all of it.
  [[nodiscard]] virtual std::span<const std::byte> output(ConnectionId connection) const = 0;
  virtual void written(ConnectionId connection) = 0;
};

/// Makes nodes, and lives as long as they. `number` tells them apart (1, 2, …) and orders their ids.
class NodeFactory {
 public:
  virtual ~NodeFactory() = default;
  [[nodiscard]] virtual std::unique_ptr<NodeSubject> make(std::uint8_t number) = 0;
};

/// Runs `harness` where nodes may be driven.
void with_nodes(const std::function<void(NodeFactory&)>& harness);

}  // namespace kaido::bench
