#include "proto/wire/handshake.h"

namespace kaido::wire {
namespace {

std::string text(VersionRange range) {
  if (range.min == range.max) return std::to_string(range.min);
  return std::to_string(range.min) + " to " + std::to_string(range.max);
}

}  // namespace

std::string no_common_version(VersionRange ours, VersionRange theirs) {
  const char* const advice = theirs.max < ours.min
                                 ? "upgrade the other side"
                                 : (theirs.min > ours.max ? "upgrade this side" : "the other side's range is empty");
  return "no common protocol version: this side speaks " + text(ours) + ", the other side " + text(theirs) + "; " +
         advice;
}

}  // namespace kaido::wire
