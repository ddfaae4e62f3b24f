#include "daemon/core/node/parking.h"

#include <algorithm>
#include <utility>

#include "proto/wire/limits.h"

namespace kaido::daemon {
namespace {

// Of one that comes in chunks no more than the first has come: the next one waits for a taker.
std::size_t bytes_of(const Payload& payload) { return payload.is_whole() ? payload.size() : wire::kChunkBytes; }

std::size_t bytes_of(const TaskErrorRef& error) {
  if (error == nullptr) return 0;
  std::size_t sum = error->message.size() + error->exception_type.size();
  for (const NodeReason& reason : error->reasons) sum += sizeof reason + reason.reason.size();
  return sum;
}

// What it counts for, and its payload made fit to be kept.
struct Keep {
  std::size_t operator()(PeerResult& answer) const {
    answer.result.payload = answer.result.payload.kept();
    return bytes_of(answer.result.payload) + bytes_of(answer.result.error);
  }
  std::size_t operator()(PeerRedirect& answer) const {
    answer.redirect.payload = answer.redirect.payload.kept();
    return bytes_of(answer.redirect.payload);
  }
  std::size_t operator()(PeerAttempt& attempt) const {
    attempt.payload = attempt.payload.kept();
    return bytes_of(attempt.payload);
  }
  std::size_t operator()(const Parking::Cancel&) const { return 0; }
};

}  // namespace

bool Parking::add(Item item) {
  if (items_.size() >= kItemsMax) return false;
  const bool asks = std::holds_alternative<PeerAttempt>(item) || std::holds_alternative<Cancel>(item);
  const std::size_t bytes = std::visit(Keep{}, item);
  if (asks && (asked_.items >= kItemsMax / 2 || bytes > kBytesMax / 2 - asked_.bytes)) return false;
  if (bytes > kBytesMax - charge_.bytes() || !charge_.grow(bytes)) return false;
  if (asks) {
    ++asked_.items;
    asked_.bytes += bytes;
  }
  items_.push_back(std::move(item));
  return true;
}

bool Parking::cancel(std::uint64_t sequence, std::uint32_t attempt) {
  const auto found = std::find_if(items_.begin(), items_.end(), [&](const Item& item) {
    const auto* const one = std::get_if<PeerAttempt>(&item);
    return one != nullptr && one->sequence == sequence && one->attempt == attempt;
  });
  if (found == items_.end()) return false;
  const std::size_t bytes = bytes_of(std::get<PeerAttempt>(*found).payload);
  charge_.set(charge_.bytes() - bytes);
  --asked_.items;
  asked_.bytes -= bytes;
  items_.erase(found);
  return true;
}

std::vector<Parking::Item> Parking::take() {
  charge_.set(0);
  asked_ = {};
  return std::exchange(items_, {});
}

std::vector<PeerAttempt> Parking::take_attempts() {
  std::vector<PeerAttempt> attempts;
  for (Item& item : take()) {
    if (auto* const attempt = std::get_if<PeerAttempt>(&item)) attempts.push_back(std::move(*attempt));
  }
  return attempts;
}

}  // namespace kaido::daemon
