#include "sdk/function/linking/functions.h"

namespace linking {

int required(int number) { return number + 2; }
KAIDO_FUNCTION(required);

}  // namespace linking
