// refuses: This must stand before the function's first use in a call
#include <kaido/remote.h>

int count(int from, int to = 10);
auto call() { return kaido::remote<count>().call(1, 2); }
KAIDO_FUNCTION(count);
