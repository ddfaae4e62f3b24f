/// A connected stream socket as a ByteStream.
#pragma once

#include <span>
#include <string>

#include "daemon/runtime/byte_stream.h"
#include "daemon/runtime/descriptor.h"
#include "daemon/runtime/loop.h"
#include "proto/base/status.h"

namespace kaido::daemon {

/// Threading: confined to the loop's thread.
class SocketStream final : public ByteStream {
 public:
  /// `socket` is connected and does not block.
  SocketStream(Descriptor socket, PeerIdentity identity, std::string remote);
  ~SocketStream() override;

  void attach(Loop& loop, IoSource& source, Readiness interest) override;
  void set_interest(Readiness interest) override;
  [[nodiscard]] IoResult read(std::span<std::byte> buffer) override;
  [[nodiscard]] IoResult write(std::span<const std::span<const std::byte>> segments) override;
  void finish_writing() override;
  [[nodiscard]] base::Status error() const override;
  [[nodiscard]] PeerIdentity identity() const override { return identity_; }
  [[nodiscard]] std::string remote() const override { return remote_; }

 private:
  Descriptor socket_;
  const PeerIdentity identity_;
  const std::string remote_;
  Loop* loop_ = nullptr;
  WatchToken token_;
  int error_ = 0;
};

}  // namespace kaido::daemon
