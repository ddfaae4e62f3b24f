/// The scheduler's spin lock is that of the channels: see <kaido/detail/spin_lock.h>.
#pragma once

#include <kaido/detail/spin_lock.h>
