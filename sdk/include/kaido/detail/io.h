/// The Asio side of a runtime. Apart from the other headers, because Asio is expensive to include.
#pragma once

#include <boost/asio/io_context.hpp>

#include <kaido/handle.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// The io_context that the runtime's driver polls. Handlers run on a thread of the runtime, one at a time, in the
/// runtime's context; what they wake runs on that thread next. They must not throw.
///
/// Threading: objects of it may be used from any thread, as Asio allows.
/// Lifetime: as long as a Handle or CoreRef of the runtime; it is polled only until shutdown.
[[nodiscard]] boost::asio::io_context& io_context(const Handle& handle) noexcept;

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
