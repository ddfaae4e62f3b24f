/// No protection: for this host's own sockets, for tests, and for networks whose owner says so by name.
#pragma once

#include <memory>

#include "daemon/security/security_provider.h"

namespace kaido::daemon {

/// Hands streams on as they are. Refuses endpoints beyond this host unless it was made with kAnyNetwork, which the
/// setting `insecure_plaintext: true` asks for.
class PlaintextProvider final : public SecurityProvider {
 public:
  enum class Policy { kThisHostOnly, kAnyNetwork };

  explicit PlaintextProvider(Policy policy) : policy_(policy) {}

  [[nodiscard]] base::Status check(const Endpoint& endpoint, StreamRole role) const override;
  [[nodiscard]] std::unique_ptr<HandshakeOperation> secure(Loop& loop, std::unique_ptr<ByteStream> raw, StreamRole role,
                                                           base::Instant deadline, Done done) override;

 private:
  const Policy policy_;
};

}  // namespace kaido::daemon
