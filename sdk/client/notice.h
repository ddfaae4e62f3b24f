/// Notices: what a program is told about the node on stderr, once each time it happens.
#pragma once

#include <string>
#include <string_view>

namespace kaido::inline abi0::detail {

/// KAIDO_LOCAL: "quiet", "always" or empty.
[[nodiscard]] std::string_view local_mode();

/// "kaido: <text>", unless KAIDO_LOCAL=quiet.
void say_notice(const std::string& text);

}  // namespace kaido::inline abi0::detail
