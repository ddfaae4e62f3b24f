#include "daemon/security/plaintext.h"

#include <unistd.h>

#include <string>
#include <utility>

namespace kaido::daemon {

base::Status PlaintextProvider::check(const Endpoint& endpoint, StreamRole role) const {
  const bool allows_loopback = policy_ != Policy::kSameUser;
  if (endpoint.reach == Reach::kProcess || endpoint.reach == Reach::kHost || policy_ == Policy::kAnyNetwork ||
      (endpoint.reach == Reach::kLoopback && allows_loopback)) {
    return base::Status();
  }
  const char* const verb = role == StreamRole::kAccepting ? "listen on " : "connect to ";
  const char* const danger = endpoint.reach == Reach::kLoopback
                                 ? " in plain text: any user of this host could pose as a node there. Use a Unix socket"
                                 : " in plain text: anybody on the way could read and forge calls. Use a Unix socket";
  return absl::PermissionDeniedError(std::string("refusing to ") + verb + endpoint.text + danger +
                                     ", or set insecure_plaintext: true if everybody who can reach it is trusted");
}

std::unique_ptr<HandshakeOperation> PlaintextProvider::secure(Loop&, std::unique_ptr<ByteStream> raw, StreamRole,
                                                              base::Instant, Done done) {
  if (auto refused = judge(*raw); !refused.ok()) {
    done(std::move(refused));
  } else {
    done(std::move(raw));
  }
  return nullptr;
}

// The kernel says who is at the other end of a Unix socket; of others nobody does.
base::Status PlaintextProvider::judge(const ByteStream& stream) const {
  if (policy_ == Policy::kThisHostOnly) return base::Status();
  const PeerIdentity identity = stream.identity();
  if (!identity.has_owner && policy_ == Policy::kAnyNetwork) return base::Status();
  const auto& credentials = identity.credentials;
  if (!credentials) {
    return absl::PermissionDeniedError("the kernel does not say to which user the process at the other end (" +
                                       stream.remote() +
                                       ") belongs: nodes that meet over a Unix socket must belong to one user");
  }
  if (credentials->uid == ::geteuid() || credentials->uid == 0) return base::Status();
  return absl::PermissionDeniedError(
      "the process at the other end belongs to user " + std::to_string(credentials->uid) + ", and this node to user " +
      std::to_string(::geteuid()) + ": nodes that meet over a Unix socket must belong to one user");
}

}  // namespace kaido::daemon
