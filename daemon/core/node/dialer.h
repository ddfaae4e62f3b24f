/// One address that is tried until it answers, and again after its connection was lost.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "daemon/core/node/connection_id.h"
#include "daemon/core/view/node_view.h"
#include "proto/base/backoff.h"
#include "proto/base/ids.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// What a dialer does is told to it; whether it should is Peers' decision.
///
/// Threading: confined to the node strand.
class Dialer {
 public:
  enum class State : std::uint8_t { kResting, kWaiting, kDialing, kLinked };

  Dialer(std::string address, base::Duration pause_min, base::Duration pause_max, std::uint64_t seed)
      : address_(std::move(address)), pause_max_(pause_max), backoff_(pause_min, pause_max, seed) {}

  void dialing(DialId dial) {
    state_ = State::kDialing;
    dial_ = dial;
  }
  void linked() { state_ = State::kLinked; }
  /// The next try comes after a pause, which grows from try to try.
  void wait(base::Instant now) {
    state_ = State::kWaiting;
    due_ = base::after(now, backoff_.next());
  }
  /// The next try comes at once: what it led to was lost this moment.
  void hurry(base::Instant now) {
    state_ = State::kWaiting;
    due_ = now;
  }
  /// The next try comes after the longest pause: the answer would be the same today.
  void wait_long(base::Instant now) {
    state_ = State::kWaiting;
    due_ = base::after(now, long_pause(pause_max_));
  }
  /// No try until somebody says so.
  void rest() { state_ = State::kResting; }
  void succeeded() {
    backoff_.reset();
    was_refused_ = false;
  }

  /// Between two tries of an address that leads to this node itself, to a copy of its identity, or to somebody who
  /// refuses for good: it may lead to somebody else tomorrow.
  [[nodiscard]] static base::Duration long_pause(base::Duration pause_max) { return kLongPauseFactor * pause_max; }

  /// Who was found at the address the last time.
  void reached(const base::NodeId& id) { id_ = id; }
  [[nodiscard]] const std::optional<base::NodeId>& id() const { return id_; }

  /// That nobody answers is worth one line, until somebody has.
  [[nodiscard]] bool take_first_failure() { return !std::exchange(has_failed_, true); }
  void answered() { has_failed_ = false; }
  /// As is that who answers there cannot be a peer, until he is.
  [[nodiscard]] bool take_first_refusal() { return !std::exchange(was_refused_, true); }

  [[nodiscard]] const std::string& address() const { return address_; }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] DialId dial() const { return dial_; }
  [[nodiscard]] std::optional<base::Instant> due() const {
    return state_ == State::kWaiting ? std::optional(due_) : std::nullopt;
  }

  /// A dialer of an address that a node announced, for as long as there is no link to that node.
  void seek(NodeIndex node) { sought_ = node; }
  [[nodiscard]] NodeIndex sought() const { return sought_; }

 private:
  /// Of the longest ordinary pause.
  static constexpr int kLongPauseFactor = 6;

  const std::string address_;
  const base::Duration pause_max_;
  base::Backoff backoff_;
  State state_ = State::kResting;
  DialId dial_;
  base::Instant due_;
  std::optional<base::NodeId> id_;
  bool has_failed_ = false;
  bool was_refused_ = false;
  NodeIndex sought_ = kNoNode;
};

}  // namespace kaido::daemon
