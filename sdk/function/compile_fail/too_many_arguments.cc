// refuses: Too many arguments
#include <kaido/remote.h>

auto call() { return kaido::remote<int(int)>("count").call(1, 2); }
