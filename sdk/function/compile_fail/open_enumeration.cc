// refuses: only enumerations with a fixed underlying type
#include <kaido/function.h>

enum Colour { kRed, kGreen };

void paint(Colour colour);
KAIDO_FUNCTION(paint);
