/// One value of a settings file into its field, or a complaint that says what to write instead.
#pragma once

#include "daemon/settings/complaints.h"
#include "daemon/settings/schema.h"
#include "daemon/settings/settings.h"
#include "daemon/settings/yaml_tree.h"

namespace kaido::daemon {

/// Leaves the field as it was where it complains.
void read_value(const SettingKey& key, const YamlNode& node, Settings& settings, Complaints& complaints);

/// Reports keys that occur twice. True if key `index` of the mapping repeats an earlier one.
bool complain_about_repetition(const YamlNode& mapping, std::size_t index, Complaints& complaints);

}  // namespace kaido::daemon
