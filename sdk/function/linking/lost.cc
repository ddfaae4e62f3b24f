#include "sdk/function/linking/functions.h"

namespace linking {

int lost(int number) { return number + 3; }
KAIDO_FUNCTION(lost);

}  // namespace linking
