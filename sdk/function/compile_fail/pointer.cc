// refuses: Position = 2
// refuses: A pointer means nothing in another process
#include <kaido/function.h>

void show(int times, const char* text);
KAIDO_FUNCTION(show);
