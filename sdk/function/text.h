/// Texts that go over the wire: protobuf's strings are UTF-8, and one that is not, or is far too long, would end the
/// connection for everybody.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace kaido::inline abi0::detail {

/// Whether protobuf takes it for a string: no overlong forms, no surrogates, nothing beyond U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// `text` as UTF-8 of at most `most` bytes: what is malformed becomes U+FFFD, and where something had to be left out a
/// note at the end says how much. For texts that people read: an exception's, a reason.
[[nodiscard]] std::string mend_text(std::string_view text, std::size_t most);

/// Why `name` cannot be the name of something (`what`: "the function", "the node"); nothing if it can. For names, which
/// must arrive as they are or not at all.
[[nodiscard]] std::optional<std::string> name_problem(std::string_view what, std::string_view name);

}  // namespace kaido::inline abi0::detail
