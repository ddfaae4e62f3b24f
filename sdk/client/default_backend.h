/// Which backend a runtime's free calls use.
#pragma once

#include <memory>

#include <kaido/detail/pending_call.h>
#include <kaido/handle.h>

namespace kaido::inline abi0::detail {

/// Makes `backend` the default of its runtime for as long as somebody else holds it, unless there is one already.
void offer_default_backend(const Handle& handle, const std::shared_ptr<Backend>& backend);

}  // namespace kaido::inline abi0::detail
