// refuses: Name every parameter of the function or none
#include <kaido/function.h>

int count(int from, int to);
KAIDO_FUNCTION(count, "from");
