// refuses: A function in an unnamed namespace has no name that another program could know
#include <kaido/function.h>

namespace {
int twice(int number) { return 2 * number; }
}  // namespace
KAIDO_FUNCTION(twice);
