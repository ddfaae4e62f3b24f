/// Somebody else's text made fit to be passed on.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kaido::daemon {

/// The text with every byte that is not UTF-8 replaced by U+FFFD, and cut at `bytes_max`, between characters, with a
/// note that says how long it was. Text that is right is copied as it is. One that has such a note counts without it,
/// and keeps what it says: an error passes several nodes, and each may cut it.
[[nodiscard]] std::string mended_text(std::string_view text, std::size_t bytes_max);

}  // namespace kaido::daemon
