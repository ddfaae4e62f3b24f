// Cannot be linked: no library has the function.
#include "sdk/function/linking/functions.h"

KAIDO_REQUIRE(linking::nowhere);
