#include "daemon/core/session/mended_text.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>

#include "proto/base/utf8.h"

namespace kaido::daemon {
namespace {

constexpr std::string_view kNoteBegin = "… (";
constexpr std::string_view kNoteEnd = " bytes in all)";

// A text that was cut before, by another node: what is left of it, and how long it was.
struct Cut {
  std::string_view text;
  std::uint64_t bytes = 0;
};
std::optional<Cut> find_cut(std::string_view text) {
  const std::size_t begin = text.rfind(kNoteBegin);
  if (begin == std::string_view::npos || !text.ends_with(kNoteEnd)) return std::nullopt;
  const char* const number = text.data() + begin + kNoteBegin.size();
  const char* const end = text.data() + text.size() - kNoteEnd.size();
  std::uint64_t bytes = 0;
  const auto [stop, error] = number < end ? std::from_chars(number, end, bytes) : std::from_chars_result{number, {}};
  if (number >= end || stop != end || error != std::errc() || bytes < begin) return std::nullopt;
  return Cut{text.substr(0, begin), bytes};
}

}  // namespace

std::string mended_text(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  const std::optional<Cut> before = find_cut(text);
  const std::uint64_t bytes = before ? before->bytes : text.size();
  std::string mended;
  for (std::string_view rest = before ? before->text : text; !rest.empty();) {
    const base::Utf8Piece piece = base::first_utf8_piece(rest);
    const std::string_view next = piece.valid ? rest.substr(0, piece.size) : kReplacement;
    if (mended.size() + next.size() > bytes_max) {
      return mended.append(kNoteBegin) + std::to_string(bytes) + std::string(kNoteEnd);
    }
    mended += next;
    rest.remove_prefix(piece.size);
  }
  if (before) mended.append(text.substr(before->text.size()));
  return mended;
}

}  // namespace kaido::daemon
