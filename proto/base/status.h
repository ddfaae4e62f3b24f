/// Expected failures: absl's Status, under the name that the project uses. Hot and pure code prefers a named enum.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kaido::base {

using absl::Status;
template <class T>
using StatusOr = absl::StatusOr<T>;

}  // namespace kaido::base

/// Returns from the calling function with the status if it is not OK.
#define KAIDO_RETURN_IF_ERROR(expression)                       \
  do {                                                          \
    if (auto kaido_status = (expression); !kaido_status.ok()) { \
      return kaido_status;                                      \
    }                                                           \
  } while (false)
