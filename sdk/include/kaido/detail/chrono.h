/// std::chrono's durations, clocks and literals. All of <chrono> would bring calendars and string streams into every
/// program, a tenth of what <kaido/kaido.h> costs to compile; in libstdc++ <mutex> declares durations and clocks
/// without them, as it must for try_lock_for. Who prints or parses dates includes <chrono>.
#pragma once

#include <version>

#ifdef __GLIBCXX__
#include <mutex>
#else
#include <chrono>
#endif
