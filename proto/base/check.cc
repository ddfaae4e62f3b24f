#include "proto/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace kaido::base {

void check_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace kaido::base
