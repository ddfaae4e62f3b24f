#include "sdk/function/text.h"

#include <algorithm>
#include <cstdint>

#include "proto/wire/limits.h"

namespace kaido::inline abi0::detail {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool is_continuation(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<std::uint8_t>(text[at]) & 0xc0U) == 0x80U;
}

/// How many bytes the character at `at` has; 0 if it is malformed (table 3-7 of the Unicode standard).
std::size_t character_size(std::string_view text, std::size_t at) {
  const auto first = static_cast<std::uint8_t>(text[at]);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4 || !is_continuation(text, at + 1)) return 0;
  if (first < 0xe0) return 2;
  const auto second = static_cast<std::uint8_t>(text[at + 1]);
  if (!is_continuation(text, at + 2)) return 0;
  if (first == 0xe0 && second < 0xa0) return 0;  // Overlong.
  if (first == 0xed && second > 0x9f) return 0;  // Surrogates.
  if (first < 0xf0) return 3;
  if (!is_continuation(text, at + 3)) return 0;
  if (first == 0xf0 && second < 0x90) return 0;  // Overlong.
  if (first == 0xf4 && second > 0x8f) return 0;  // Beyond U+10FFFF.
  return 4;
}

std::string left_out(std::size_t bytes) { return "… (" + std::to_string(bytes) + " more bytes left out)"; }

}  // namespace

bool is_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text, at);
    if (size == 0) return false;
    at += size;
  }
  return true;
}

std::string mend_text(std::string_view text, std::size_t most) {
  if (text.size() <= most && is_utf8(text)) return std::string(text);
  std::string mended;
  std::size_t at = 0;
  std::size_t fits = 0;     // Of `mended`: what can stand before a note.
  std::size_t fits_at = 0;  // Where `text` goes on after that.
  const std::size_t room = most - std::min(most, left_out(text.size()).size());
  while (at < text.size() && mended.size() <= most) {
    const std::size_t size = character_size(text, at);
    mended += size == 0 ? kReplacement : text.substr(at, size);
    at += std::max<std::size_t>(size, 1);
    if (mended.size() <= room) {
      fits = mended.size();
      fits_at = at;
    }
  }
  if (mended.size() <= most) return mended;
  mended.resize(fits);
  return mended + left_out(text.size() - fits_at);
}

std::optional<std::string> name_problem(std::string_view what, std::string_view name) {
  constexpr std::size_t kShown = 80;
  if (name.empty()) return std::string(what) + " has an empty name";
  if (name.size() > wire::kMaxNameBytes) {
    return "the name of " + std::string(what) + " '" + mend_text(name, kShown) + "' has " +
           std::to_string(name.size()) + " bytes: at most " + std::to_string(wire::kMaxNameBytes) + " are possible";
  }
  if (!is_utf8(name)) {
    return "the name of " + std::string(what) + " '" + mend_text(name, kShown) +
           "' is not UTF-8: write it in UTF-8, or without the bytes that are not";
  }
  return std::nullopt;
}

}  // namespace kaido::inline abi0::detail
