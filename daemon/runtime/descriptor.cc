#include "daemon/runtime/descriptor.h"

#include <unistd.h>

#include <utility>

namespace kaido::daemon {

int Descriptor::release() { return std::exchange(value_, -1); }

void Descriptor::reset(int value) {
  if (value_ >= 0) ::close(value_);
  value_ = value;
}

}  // namespace kaido::daemon
