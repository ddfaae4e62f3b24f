/// How a task ended: the status of a Result frame, and the one vocabulary of errors in code, logs, metrics and docs.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace kaido::wire {

/// Values are part of the protocol: never reused, never renumbered. docs/life-of-a-task.md says when each arises.
enum class Outcome : std::uint32_t {
  kSucceeded = 0,
  kPanicked = 1,           ///< the function threw; type and text are in the error
  kCancelled = 2,          ///< the caller, or a drain, cancelled it
  kTimedOut = 3,           ///< its deadline passed
  kUnschedulable = 4,      ///< no node fits; every node and its reason are in the error
  kNodeLost = 5,           ///< its node was lost and it may not be started again
  kRejected = 6,           ///< a bound was reached; try again after the stated time, if one is stated
  kUnavailable = 7,        ///< the app lost its own node
  kAppLost = 8,            ///< the worker app ended while it ran
  kSignatureMismatch = 9,  ///< caller and worker disagree on the function's schema
  kInvalidArgument = 10,   ///< the arguments could not be decoded
  kInternal = 11,          ///< a bug: report it
};

inline constexpr std::uint32_t kOutcomeCount = 12;

/// The words of the promise, e.g. "timed out".
[[nodiscard]] std::string_view name(Outcome outcome);

/// The same with underscores, e.g. "timed_out": a metric's label value.
[[nodiscard]] std::string_view label(Outcome outcome);

/// Nothing for a number that this version does not know.
[[nodiscard]] std::optional<Outcome> outcome_from(std::uint32_t status);

}  // namespace kaido::wire
