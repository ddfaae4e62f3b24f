/// Functions of static libraries, of which the test's program refers to none.
#pragma once

#include <kaido/function.h>

namespace linking {

int kept(int number);      // its library has alwayslink
int required(int number);  // its library has not; the program says KAIDO_REQUIRE
int lost(int number);      // neither
int nowhere(int number);   // defined by no library
KAIDO_DECLARE(required, "number");

}  // namespace linking
