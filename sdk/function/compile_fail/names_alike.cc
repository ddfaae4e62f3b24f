// refuses: Two parameters have one name
#include <kaido/function.h>

int count(int from, int to);
KAIDO_FUNCTION(count, "from_here", "fromHere");
