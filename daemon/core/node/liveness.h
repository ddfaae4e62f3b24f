/// Whether a node is lost: asked of one place, whatever it goes by.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "daemon/core/view/node_view.h"
#include "proto/base/time.h"

namespace kaido::daemon {

/// How the last link to a node came to its end.
enum class Departure : std::uint8_t {
  kClosed,   ///< the connection ended or broke: its daemon may be gone, or a wire
  kSilent,   ///< nothing was heard of it for timeouts.peer
  kGoodbye,  ///< it said so
};

/// Consumed by Peers; what decides can be exchanged (gossip membership will).
///
/// Threading: confined to the node strand.
class Liveness {
 public:
  virtual ~Liveness() = default;

  /// There is a link to the node.
  virtual void met(NodeIndex node) = 0;
  /// There is none any more.
  virtual void left(base::Instant now, NodeIndex node, Departure how) = 0;
  /// Nobody answers where the node listens.
  virtual void nobody_there(base::Instant now, NodeIndex node) = 0;

  /// This node did nothing for so long: whoever seeks it was not let in meanwhile.
  virtual void was_away(base::Duration time) = 0;

  [[nodiscard]] virtual std::optional<base::Instant> next_timeout() const = 0;
  /// The nodes that are lost by now; each is named once.
  [[nodiscard]] virtual std::vector<NodeIndex> take_lost(base::Instant now) = 0;
};

/// By pings: a node that said goodbye or fell silent is lost at once; one whose connection merely ended is lost when
/// nobody answers at its address any more, or when it has not come back within a grace time.
class PingLiveness final : public Liveness {
 public:
  explicit PingLiveness(base::Duration grace) : grace_(grace) {}

  void met(NodeIndex node) override { lost_at_.erase(node); }
  void left(base::Instant now, NodeIndex node, Departure how) override {
    lost_at_[node] = how == Departure::kClosed ? base::after(now, grace_) : now;
  }
  void nobody_there(base::Instant now, NodeIndex node) override {
    if (const auto found = lost_at_.find(node); found != lost_at_.end()) found->second = now;
  }
  void was_away(base::Duration time) override {
    for (auto& [node, at] : lost_at_) at = base::after(at, time);
  }
  [[nodiscard]] std::optional<base::Instant> next_timeout() const override;
  [[nodiscard]] std::vector<NodeIndex> take_lost(base::Instant now) override;

 private:
  const base::Duration grace_;
  std::map<NodeIndex, base::Instant> lost_at_;  ///< nodes without a link
};

}  // namespace kaido::daemon
