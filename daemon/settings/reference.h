/// The reference of all settings as documents, from the schema: what docs/operating/configuration.md and
/// config/kaidod.yaml are compared with, so that neither can fall behind.
#pragma once

#include <string>

namespace kaido::daemon {

/// One Markdown table per section.
[[nodiscard]] std::string settings_reference_markdown();

/// A settings file that sets nothing: every key with its default as a comment.
[[nodiscard]] std::string settings_reference_yaml();

}  // namespace kaido::daemon
