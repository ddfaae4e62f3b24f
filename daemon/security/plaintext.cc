#include "daemon/security/plaintext.h"

#include <utility>

namespace kaido::daemon {

base::Status PlaintextProvider::check(const Endpoint& endpoint, StreamRole role) const {
  if (endpoint.reach != Reach::kNetwork || policy_ == Policy::kAnyNetwork) return base::Status();
  const char* const verb = role == StreamRole::kAccepting ? "listen on " : "connect to ";
  return absl::PermissionDeniedError(
      std::string("refusing to ") + verb + endpoint.text +
      " without encryption: anybody on the way could read and forge calls. Use a loopback address, or set "
      "insecure_plaintext: true if this network is trusted");
}

std::unique_ptr<HandshakeOperation> PlaintextProvider::secure(Loop&, std::unique_ptr<ByteStream> raw, StreamRole,
                                                              base::Instant, Done done) {
  done(std::move(raw));
  return nullptr;
}

}  // namespace kaido::daemon
