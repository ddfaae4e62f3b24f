/// Test support: a peer that is no node, and says what the test wants.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/core/node/machine_fixture.h"
#include "daemon/core/session/messages.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/kaido/v1/peer.pb.h"
#include "proto/wire/handshake.h"

namespace kaido::daemon {

/// Somebody who speaks by hand.
class Stranger final : public WireEnd {
 public:
  Stranger(World& world, TestNode& to) : world_(world), wire_(world.connect(*this, to)) {}
  ~Stranger() override { leave(); }

  void say(wire::FrameKind kind, const std::string& metadata = {}, std::uint64_t call_id = 0, wire::Load load = {}) {
    FrameInTransit frame;
    frame.header.kind = kind;
    frame.header.call_id = call_id;
    frame.header.set_attempt(1);
    frame.header.set_load(load);
    frame.metadata = metadata;
    if (kind == wire::FrameKind::kWelcome && metadata.empty()) frame.metadata = welcome_of(wire::kVersions.max);
    world_.send(wire_, wire_.halves[0], frame);
    world_.settle();
  }
  void say_hello(std::uint8_t number, base::Life life, const std::string& name = "stranger") {
    v1::PeerHello hello;
    hello.mutable_versions()->set_min(wire::kVersions.min);
    hello.mutable_versions()->set_max(wire::kVersions.max);
    hello.mutable_versions()->set_features(wire::kPeerFeatures);
    hello.set_node_id(base::to_bytes(id_of(number)));
    hello.set_node_name(name);
    hello.set_epoch(life.epoch.value);
    hello.set_nonce(life.nonce);
    hello.set_max_frame_bytes(1U << 20);
    hello.set_max_metadata_bytes(1U << 20);
    hello.set_max_templates(1000);
    say(wire::FrameKind::kHello, hello.SerializeAsString());
  }
  static std::string welcome_of(std::uint32_t version) {
    v1::PeerWelcome welcome;
    welcome.set_version(version);
    return welcome.SerializeAsString();
  }
  void say_info(std::uint8_t number, base::Life life, const std::string& name = "stranger") {
    NodeInfo info;
    info.id = id_of(number);
    info.life = life;
    info.name = name;
    say_info(info);
  }
  void say_info(const NodeInfo& info) { say(wire::FrameKind::kNodeInfo, to_message(info).SerializeAsString()); }
  void say_delta(const NodeInfoDelta& delta) {
    say(wire::FrameKind::kNodeInfoDelta, to_message(delta).SerializeAsString());
  }
  /// Without a word.
  void leave() {
    wire_.halves[0].is_open = false;
    wire_.halves[1].gets_eof = true;
  }
  static base::NodeId id_of(std::uint8_t number) {
    base::NodeId id;
    id.bytes[0] = number;
    return id;
  }
  void take(ConnectionId, const FrameInTransit& frame) override {
    heard.push_back(frame.header.kind);
    if (frame.header.kind == wire::FrameKind::kPing) pings.push_back(frame.header.call_id);
    if (frame.header.kind != wire::FrameKind::kGoodbye) return;
    v1::Goodbye message;
    EXPECT_TRUE(message.ParseFromString(frame.metadata));
    goodbye = message.reason();
  }
  void ended(ConnectionId, const base::Status&) override {}

  [[nodiscard]] std::ptrdiff_t count(wire::FrameKind kind) const {
    return std::count(heard.begin(), heard.end(), kind);
  }

  std::string goodbye;
  std::vector<std::uint64_t> pings;
  std::vector<wire::FrameKind> heard;

 private:
  World& world_;
  Wire& wire_;
};

}  // namespace kaido::daemon
