/// How long tasks took, as the machine saw it.
#pragma once

#include "proto/base/histogram.h"

namespace kaido::daemon {

/// By the machine's clock, which stands still within a turn. Only grows.
struct Durations {
  base::Histogram task = base::Histogram::of_seconds();   ///< submit to delivery
  base::Histogram queue = base::Histogram::of_seconds();  ///< admission to dispatch
  base::Histogram run = base::Histogram::of_seconds();    ///< dispatch to result
};

}  // namespace kaido::daemon
