/// The seam between the transports and how streams are protected: plaintext here; mutual TLS fits behind it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/runtime/byte_stream.h"
#include "daemon/runtime/loop.h"
#include "proto/base/status.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// How far bytes sent to an endpoint can travel: what a provider's policy goes by.
enum class Reach {
  kProcess,   // memory
  kHost,      // a Unix socket
  kLoopback,  // TCP to 127.0.0.0/8 or ::1
  kNetwork,   // TCP to anywhere else; also listening on all addresses
};

/// One endpoint, after names were resolved.
struct Endpoint {
  std::string text;  // for messages: "tcp:10.0.0.7:7400"
  Reach reach = Reach::kNetwork;
};

enum class StreamRole { kConnecting, kAccepting };

/// A handshake at work; destroying it abandons the handshake, and its callback is not called. May be destroyed inside
/// its callback.
class HandshakeOperation {
 public:
  virtual ~HandshakeOperation() = default;
};

/// Turns a raw stream into a protected one.
///
/// Threading: confined to the loop's thread; a provider may hand work to others inside.
/// Lifetime: must outlive the transports that use it.
/// Errors: kPermissionDenied where the policy refuses an endpoint; what the handshake found otherwise.
class SecurityProvider {
 public:
  using Done = std::function<void(base::StatusOr<std::unique_ptr<ByteStream>>)>;

  virtual ~SecurityProvider() = default;

  /// Asked before listening on and before connecting to an endpoint.
  [[nodiscard]] virtual base::Status check(const Endpoint& endpoint, StreamRole role) const = 0;

  /// Runs the handshake over `raw` and calls `done` with the protected stream: from inside secure() (null is returned),
  /// or later on the loop. A handshake not finished by `deadline` has failed.
  [[nodiscard]] virtual std::unique_ptr<HandshakeOperation> secure(Loop& loop, std::unique_ptr<ByteStream> raw,
                                                                   StreamRole role, base::Instant deadline,
                                                                   Done done) = 0;
};

}  // namespace kaido::daemon
