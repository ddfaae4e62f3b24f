/// Walks text that may hold anything: whole UTF-8 sequences, or single bytes that belong to none.
#pragma once

#include <cstdint>
#include <string_view>

namespace kaido::base {

struct Utf8Piece {
  char32_t code_point = 0;  // meaningless if not valid
  std::uint8_t size = 1;    // bytes it takes
  bool valid = false;

  /// What must not reach a terminal or a line as it is: C0 and C1 controls, DEL, line and paragraph separators, and the
  /// marks that reorder text around them.
  [[nodiscard]] bool is_control() const {
    const char32_t c = code_point;
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
  }
};

/// The first piece of `text`, which must not be empty. Overlong forms, surrogates and truncated sequences are invalid.
[[nodiscard]] Utf8Piece first_utf8_piece(std::string_view text);

}  // namespace kaido::base
