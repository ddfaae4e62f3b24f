#include "sdk/client/notice.h"

#include <cstdio>
#include <cstdlib>

namespace kaido::inline abi0::detail {

std::string_view local_mode() {
  const char* const mode = std::getenv("KAIDO_LOCAL");
  return mode != nullptr ? mode : "";
}

void say_notice(const std::string& text) {
  if (local_mode() == "quiet") return;
  std::fprintf(stderr, "kaido: %s\n", text.c_str());
}

}  // namespace kaido::inline abi0::detail
