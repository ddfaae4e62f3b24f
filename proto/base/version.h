/// The version of this source tree: of kaidod, kaidoctl and libkaido alike. deploy/layout.sh reads it from here.
#pragma once

namespace kaido::base {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace kaido::base
