#include "daemon/core/session/mended_text.h"

#include "proto/base/utf8.h"

namespace kaido::daemon {

std::string mended_text(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string mended;
  for (std::string_view rest = text; !rest.empty();) {
    const base::Utf8Piece piece = base::first_utf8_piece(rest);
    const std::string_view next = piece.valid ? rest.substr(0, piece.size) : kReplacement;
    if (mended.size() + next.size() > bytes_max) {
      return mended + "… (" + std::to_string(text.size()) + " bytes in all)";
    }
    mended += next;
    rest.remove_prefix(piece.size);
  }
  return mended;
}

}  // namespace kaido::daemon
