#include "daemon/settings/names.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace kaido::daemon {
namespace {

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_name(std::string_view text, std::size_t max) {
  return !text.empty() && text.size() <= max && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

constexpr std::size_t kMaxDomain = 253;
constexpr std::size_t kMaxLabel = 63;

}  // namespace

bool is_node_name(std::string_view text) { return is_name(text, kMaxDomain); }

bool is_label_key(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return is_name(text, kMaxLabel);
  return is_name(text.substr(0, slash), kMaxDomain) && is_name(text.substr(slash + 1), kMaxLabel);
}

bool is_label_value(std::string_view text) { return text.empty() || is_name(text, kMaxLabel); }

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row[b.size()];
}

}  // namespace kaido::daemon
