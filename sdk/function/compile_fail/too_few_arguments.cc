// refuses: Too few arguments: only parameters at the end may be left out
#include <kaido/remote.h>

int count(int from, int to = 10);
auto call() { return kaido::remote<count>().call(1); }
