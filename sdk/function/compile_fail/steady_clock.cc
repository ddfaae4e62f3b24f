// refuses: A time of std::chrono::steady_clock means nothing on another host
#include <chrono>

#include <kaido/function.h>

void wait_until(std::chrono::steady_clock::time_point when);
KAIDO_FUNCTION(wait_until);
