#include "proto/wire/outcome.h"

#include <array>

namespace kaido::wire {
namespace {

struct Words {
  std::string_view name;
  std::string_view label;
};

constexpr std::array<Words, kOutcomeCount> kWords = {{
    {"succeeded", "succeeded"},
    {"panicked", "panicked"},
    {"cancelled", "cancelled"},
    {"timed out", "timed_out"},
    {"unschedulable", "unschedulable"},
    {"node lost", "node_lost"},
    {"rejected", "rejected"},
    {"unavailable", "unavailable"},
    {"app lost", "app_lost"},
    {"signature mismatch", "signature_mismatch"},
    {"invalid argument", "invalid_argument"},
    {"internal", "internal"},
}};

}  // namespace

std::string_view name(Outcome outcome) { return kWords.at(static_cast<std::size_t>(outcome)).name; }

std::string_view label(Outcome outcome) { return kWords.at(static_cast<std::size_t>(outcome)).label; }

std::optional<Outcome> outcome_from(std::uint32_t status) {
  if (status >= kOutcomeCount) return std::nullopt;
  return static_cast<Outcome>(status);
}

}  // namespace kaido::wire
