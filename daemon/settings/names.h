/// What may be a node's name, a tag and a taint: Kubernetes' rules, so that its labels can be taken over as they are.
#pragma once

#include <cstddef>
#include <string_view>

namespace kaido::daemon {

/// 1 to 253 of letters, digits, "-", "_" and ".", first and last a letter or digit: what every host name is.
[[nodiscard]] bool is_node_name(std::string_view text);

/// "name" or "prefix/name": the name 1 to 63 of letters, digits, "-", "_", "." between letters or digits; the prefix a
/// domain name of up to 253.
[[nodiscard]] bool is_label_key(std::string_view text);

/// Empty, or what a label key's name may be.
[[nodiscard]] bool is_label_value(std::string_view text);

/// How many single-character edits turn one into the other: insertions, deletions, substitutions, and swaps of
/// neighbours, which are the commonest slip ("optimal string alignment").
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace kaido::daemon
