/// No encryption: for this host's own sockets, for tests, and for networks whose owner says so by name.
#pragma once

#include <memory>

#include "daemon/security/security_provider.h"

namespace kaido::daemon {

/// Hands streams on as they are, where its policy allows the endpoint and whoever is at the other end.
class PlaintextProvider final : public SecurityProvider {
 public:
  enum class Policy {
    /// Anybody on this host whom a socket's mode lets in: apps, and tests.
    kThisHostOnly,
    /// Unix sockets, with a process of this user or root at the other end: nodes without `insecure_plaintext: true`.
    /// Not loopback TCP, where any local user could pose as a node.
    kSameUser,
    /// What `insecure_plaintext: true` asks for: TCP to anywhere; over Unix sockets the user is still looked at.
    kAnyNetwork,
  };

  explicit PlaintextProvider(Policy policy) : policy_(policy) {}

  [[nodiscard]] base::Status check(const Endpoint& endpoint, StreamRole role) const override;
  [[nodiscard]] std::unique_ptr<HandshakeOperation> secure(Loop& loop, std::unique_ptr<ByteStream> raw, StreamRole role,
                                                           base::Instant deadline, Done done) override;

 private:
  [[nodiscard]] base::Status judge(const ByteStream& stream) const;

  const Policy policy_;
};

}  // namespace kaido::daemon
