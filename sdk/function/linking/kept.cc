#include "sdk/function/linking/functions.h"

namespace linking {

int kept(int number) { return number + 1; }
KAIDO_FUNCTION(kept);

}  // namespace linking
