/// Counting words in pieces of text: the part of word_count that has nothing to do with where it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace word_count {

/// A word is what stands between white space, as for `wc -w` and for `tr -s '[:space:]' '\n'` in the C locale.
using Counts = std::map<std::string, std::int64_t>;

[[nodiscard]] constexpr bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

[[nodiscard]] Counts count(std::string_view text);

/// The first piece of `text`, about `size` bytes: cut at white space, so that no word is in two pieces. Never empty
/// unless `text` is.
[[nodiscard]] std::string_view first_piece(std::string_view text, std::size_t size);

}  // namespace word_count
