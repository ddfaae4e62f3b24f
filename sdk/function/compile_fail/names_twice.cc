// refuses: The function is already declared under another name or with other parameter names
#include <kaido/function.h>

int count(int from, int to);
KAIDO_DECLARE(count, "from", "to");
KAIDO_FUNCTION(count, "first", "last");
