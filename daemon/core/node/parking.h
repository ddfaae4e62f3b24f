/// What waits for a link to its node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/core/session/peer_session.h"
#include "proto/wire/memory_budget.h"

namespace kaido::daemon {

/// Answers to a node, and attempts and cancels for it, in order and within bounds, from the end of its last link until
/// there is another, or the node is lost. What is parked owns its bytes and never left this node.
///
/// Threading: confined to its owner.
/// Cost: add() is O(1); cancel() looks at all that waits.
class Parking {
 public:
  /// Raising them carries more over a broken connection; beyond them an origin learns `node lost` for an answer, and an
  /// attempt goes elsewhere. Attempts and cancels may take half: the answers that others wait for always find room.
  static constexpr std::size_t kItemsMax = 4096;
  static constexpr std::size_t kBytesMax = 16U << 20;

  struct Cancel {
    std::uint64_t sequence = 0;
    std::uint32_t attempt = 0;
  };
  using Item = std::variant<PeerResult, PeerRedirect, PeerAttempt, Cancel>;

  Parking() = default;
  /// What waits is taken from the account of its node.
  explicit Parking(wire::Charge account) : charge_(std::move(account)) {}

  /// False: there is no room for it, and nothing changed.
  [[nodiscard]] bool add(Item item);
  /// An attempt that waits here is taken out, so that it is never sent. False: it does not wait here.
  [[nodiscard]] bool cancel(std::uint64_t sequence, std::uint32_t attempt);
  /// All of it, in the order in which it came.
  [[nodiscard]] std::vector<Item> take();
  /// The attempts; all else is dropped, since nobody is there to be told.
  [[nodiscard]] std::vector<PeerAttempt> take_attempts();

  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] std::size_t bytes() const { return charge_.bytes(); }

 private:
  struct Sum {
    std::size_t items = 0;
    std::size_t bytes = 0;
  };

  std::vector<Item> items_;
  Sum asked_;  ///< of attempts and cancels
  wire::Charge charge_;
};

}  // namespace kaido::daemon
