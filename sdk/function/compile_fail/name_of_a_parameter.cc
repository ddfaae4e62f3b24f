// refuses: A parameter's name consists of letters, digits and _
#include <kaido/function.h>

int count(int from, int to);
KAIDO_FUNCTION(count, "from", "up to");
