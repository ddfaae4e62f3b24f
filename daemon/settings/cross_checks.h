/// What must hold between settings, each of which is fine on its own.
#pragma once

#include "daemon/settings/complaints.h"
#include "daemon/settings/settings.h"

namespace kaido::daemon {

/// Settings that already have a complaint are left alone: one mistake, one message.
void check_across(const Settings& settings, Complaints& complaints);

}  // namespace kaido::daemon
