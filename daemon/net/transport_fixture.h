/// What the suites of the transports share: a listener with its connections, and a client, on one loop.
#pragma once

#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/net/address.h"
#include "daemon/net/connection.h"
#include "daemon/net/memory_transport.h"
#include "daemon/net/tcp_transport.h"
#include "daemon/net/transport.h"
#include "daemon/net/unix_transport.h"
#include "daemon/runtime/loop.h"
#include "daemon/security/plaintext.h"
#include "proto/base/status.h"
#include "proto/base/time.h"
#include "proto/wire/frame.h"

namespace kaido::daemon {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::FrameHeader;
using wire::FrameKind;
using wire::FrameView;

inline constexpr base::Duration kLimit = seconds(30);

/// An owner that records what it is told and can be given something to do.
struct Peer final : ConnectionHandler {
  void on_frame(Connection& at, const FrameView& frame) override {
    EXPECT_FALSE(closed) << "a frame after the end";
    ++frames;
    payload_bytes += frame.payload.size();
    last_id = frame.header.call_id;
    if (keep_payload && frame.payload.is_whole())
      payload.assign(frame.payload.bytes().begin(), frame.payload.bytes().end());
    if (act) act(at, frame);
  }
  void on_drained(Connection&) override { ++drained; }
  void on_malformed(Connection& at, const base::Status&) override { at.send({.kind = FrameKind::kGoodbye}); }
  void on_closed(Connection&, const base::Status& reason) override {
    EXPECT_FALSE(closed) << "the end came twice";
    closed = true;
    why = reason;
    if (on_end) on_end();
  }

  std::unique_ptr<Connection> connection;
  std::function<void(Connection&, const FrameView&)> act;
  std::function<void()> on_end;
  std::uint64_t frames = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t last_id = 0;
  bool keep_payload = false;
  std::vector<std::byte> payload;
  int drained = 0;
  bool closed = false;
  base::Status why;
};

inline std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + (i >> 8));
  return bytes;
}

inline void echo(Connection& at, const FrameView& frame) {
  EXPECT_EQ(at.send(frame.header, frame.metadata, frame.payload), wire::SendResult::kTaken);
}

enum class Kind { kMemory, kUnix, kTcp };

inline std::string name_of(const testing::TestParamInfo<Kind>& info) {
  return std::array{"Memory", "Unix", "Tcp"}.at(static_cast<std::size_t>(info.param));
}

class TransportTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("kaido-net-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    listener_.reset();
    std::filesystem::remove_all(folder_);
  }

  Transport& transport() {
    if (GetParam() == Kind::kMemory) return memory_;
    if (GetParam() == Kind::kUnix) return unix_;
    return tcp_;
  }
  Address to_listen_on() const {
    if (GetParam() == Kind::kMemory) return Address::memory("node");
    if (GetParam() == Kind::kUnix) return Address::unix_socket(folder_ / "s");
    return Address::tcp("127.0.0.1", 0);
  }

  void listen(ListenOptions options = {}) {
    auto listener = transport().listen(to_listen_on(), options, [this](std::unique_ptr<Connection> accepted) {
      auto peer = std::make_unique<Peer>();
      peer->connection = std::move(accepted);
      peer->act = server_act_;
      peer->connection->set_memory_owner({1});
      peer->connection->start(*peer);
      servers_.push_back(std::move(peer));
    });
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }

  base::Status connect(Peer& client, ConnectionOptions options = {}, base::Duration within = kLimit) {
    bool answered = false;
    base::Status result;
    const auto operation =
        transport().connect(listener_->address(), loop_.now() + within, options, [&](auto connection) {
          answered = true;
          if (!connection.ok()) {
            result = connection.status();
            return;
          }
          client.connection = *std::move(connection);
          client.connection->start(client);
        });
    EXPECT_FALSE(answered) << "connect() called back from inside";
    EXPECT_TRUE(until([&] { return answered; }));
    return result;
  }

  // A client and the server's side of it.
  Peer& pair(Peer& client, ListenOptions options = {}) {
    if (listener_ == nullptr) listen(options);
    const std::size_t before = servers_.size();
    EXPECT_TRUE(connect(client).ok());
    EXPECT_TRUE(until([&] { return servers_.size() > before; }));
    return *servers_.back();
  }

  bool until(const std::function<bool()>& done) { return loop_.run_until(done, kLimit); }

  Loop loop_;
  PlaintextProvider security_{PlaintextProvider::Policy::kThisHostOnly};
  MemoryNetwork network_;
  MemoryTransport memory_{loop_, network_, security_};
  UnixTransport unix_{loop_, security_};
  TcpTransport tcp_{loop_, security_};
  std::filesystem::path folder_;
  std::function<void(Connection&, const FrameView&)> server_act_ = echo;
  std::unique_ptr<Listener> listener_;
  std::vector<std::unique_ptr<Peer>> servers_;
};

}  // namespace kaido::daemon
