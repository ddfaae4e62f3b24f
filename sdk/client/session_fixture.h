/// For tests of the protocol without sockets: a session, and the frames that a node would see and send.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "proto/kaido/v1/local.pb.h"
#include "proto/kaido/v1/node.pb.h"
#include "proto/kaido/v1/task.pb.h"
#include "proto/wire/handshake.h"
#include "proto/wire/channel.h"
#include "proto/wire/frame.h"
#include "proto/wire/outcome.h"
#include "sdk/client/session.h"

namespace kaido::inline abi0::detail {

using namespace std::chrono_literals;

inline void run_nothing(Invocation&) {}

/// A call whose result is its bytes.
struct Call : PendingCall {
  using PendingCall::PendingCall;
  [[nodiscard]] bool succeeded() const { return is_done && !error; }
  [[nodiscard]] std::string_view text() const { return wire::as_text(result()); }
};

struct SentFrame {
  wire::FrameHeader header;
  std::string metadata;
  std::string payload;
};

class SessionTest : public ::testing::Test, private SessionEvents {
 protected:
  using Kind = wire::FrameKind;

  void make_session(const SessionOptions& options, FunctionTable functions) {
    SessionEvents& events = *this;
    session_.emplace(options, std::move(functions), events);
  }
  void make_session(const SessionOptions& options = {}) {
    function_.name = "f";
    function_.id = 1;
    function_.schema = &kSignature<void>;
    function_.run = &run_nothing;
    make_session(options, FunctionTable::of({&function_}).value());
  }
  void connect() {
    if (!session_) make_session();
    connect_again();
  }
  void connect_again() {
    node_.emplace(wire::ChannelOptions{.message_bytes_max = SIZE_MAX, .assemble = true}, [] {});
    session_->handle_connected(now_);
  }
  void make_ready(std::uint32_t credits = 8) {
    connect();
    welcome(credits);
    deliver(Kind::kRegistered);
    sent();
  }
  void welcome(std::uint32_t credits) {
    v1::Welcome message;
    message.set_version(wire::kVersions.max);
    message.set_node_name("n1");
    message.set_credits(credits);
    message.set_max_frame_bytes(max_frame_bytes_);
    message.set_max_templates(max_templates_);
    deliver(Kind::kWelcome, message.SerializeAsString());
  }

  /// Gives the session a frame; false if it wants the connection closed. What comes in chunks is taken by and by: then
  /// the session's own output is taken, too.
  bool deliver(Kind kind, std::string_view metadata = {}, wire::FrameHeader header = {},
               std::string_view payload = {}) {
    header.kind = kind;
    EXPECT_EQ(node_->send(header, wire::as_span(metadata), wire::as_span(payload)), wire::SendResult::kTaken);
    bool is_fine = carry_to_session();
    while (is_fine && !node_->is_flushed()) {
      take_output();
      is_fine = carry_to_session();
    }
    return is_fine;
  }
  bool deliver_result(std::uint64_t id, std::string_view payload) {
    wire::FrameHeader header;
    header.call_id = id;
    return deliver(Kind::kResult, {}, header, payload);
  }

  /// What the session has written since, parsed; it counts as sent. Payloads are whole.
  std::vector<SentFrame> sent() {
    while (session_->has_output()) {
      take_output();
      carry_to_session();  // Room for more of what goes in chunks.
    }
    return std::exchange(frames_, {});
  }
  void take_output() {
    std::array<std::span<const std::byte>, 3> segments;
    while (const std::size_t count = session_->output(segments)) {
      std::size_t bytes = 0;
      for (std::size_t i = 0; i < count; bytes += segments[i++].size()) take(segments[i]);
      session_->consume_output(now_, bytes);
    }
  }
  static std::vector<Kind> kinds(const std::vector<SentFrame>& frames) {
    std::vector<Kind> out;
    for (const SentFrame& frame : frames) out.push_back(frame.header.kind);
    return out;
  }

  std::unique_ptr<Call> start(std::string_view arguments = "args",
                              std::shared_ptr<const PlacementRules> rules = nullptr) {
    auto call = std::make_unique<Call>(target_);
    std::memcpy(call->arguments.allocate(arguments.size()), arguments.data(), arguments.size());
    call->placement = std::move(rules);
    session_->start(*call, Waker(), now_);
    return call;
  }
  static std::shared_ptr<PlacementRules> on_node(const std::string& name) {
    auto rules = std::make_shared<PlacementRules>();
    rules->set(PlacementField::kNodeName, name);
    return rules;
  }

  void run(IncomingCall& call) override { runs_.push_back(call); }
  void cancel(std::uint64_t call_id) override { cancels_.push_back(call_id); }
  void cancel_all() override { ++cancel_alls_; }

  /// All that the node has to send.
  bool carry_to_session() {
    std::array<std::span<const std::byte>, 1> segment;
    while (node_->gather(segment) != 0) {
      const auto space = session_->input_space();
      const std::size_t count = std::min(space.size(), segment[0].size());
      std::memcpy(space.data(), segment[0].data(), count);
      node_->consume(count);
      if (!session_->handle_input(now_, count)) return false;
    }
    return true;
  }
  void take(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto space = node_->writable();
      const std::size_t count = std::min(space.size(), bytes.size());
      std::memcpy(space.data(), bytes.data(), count);
      node_->commit(count);
      bytes = bytes.subspan(count);
      while (auto frame = node_->next()) {
        frames_.push_back({frame->header, std::string(wire::as_text(frame->metadata)),
                           std::string(wire::as_text(frame->payload.bytes()))});
      }
    }
  }

  TimePoint now_ = TimePoint{} + 1h;
  std::uint32_t max_frame_bytes_ = 1000;
  std::uint32_t max_templates_ = 0;
  FunctionEntry function_;
  CallTarget target_{FunctionFacts("f", 2, kSignature<void>, {}), CallTarget::Kind::kFunction};
  std::optional<Session> session_;
  std::optional<wire::Channel> node_;  ///< the other end
  std::vector<SentFrame> frames_;      ///< what it has received
  std::vector<IncomingCall> runs_;
  std::vector<std::uint64_t> cancels_;
  int cancel_alls_ = 0;
};

}  // namespace kaido::inline abi0::detail
