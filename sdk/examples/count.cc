#include "sdk/examples/count.h"

#include <algorithm>

namespace word_count {

Counts count(std::string_view text) {
  Counts counts;
  auto at = text.begin();
  while ((at = std::find_if_not(at, text.end(), is_space)) != text.end()) {
    const auto end = std::find_if(at, text.end(), is_space);
    ++counts[std::string(at, end)];
    at = end;
  }
  return counts;
}

std::string_view first_piece(std::string_view text, std::size_t size) {
  if (text.size() <= size) return text;
  const auto end = std::find_if(text.begin() + static_cast<std::ptrdiff_t>(size), text.end(), is_space);
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

}  // namespace word_count
