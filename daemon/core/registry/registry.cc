#include "daemon/core/registry/registry.h"

#include <algorithm>
#include <cstdio>
#include <unordered_set>

#include "absl/status/status.h"

namespace kaido::daemon {
namespace {

std::string describe(const FunctionInfo& function) {
  char fingerprint[17];
  std::snprintf(fingerprint, sizeof fingerprint, "%016llx", static_cast<unsigned long long>(function.fingerprint));
  return function.name + " " + function.signature + (function.signature.empty() ? "" : " ") + "(fingerprint " + fingerprint +
         ")";
}

}  // namespace

base::Status Registry::check_function(const FunctionInfo& function) const {
  if (function.name.empty()) return absl::InvalidArgumentError("a function without a name was registered; name it");
  if (function.name.size() > options_.name_bytes_max) {
    return absl::InvalidArgumentError("the name of function " + function.name.substr(0, 64) + "… is longer than " +
                                      std::to_string(options_.name_bytes_max) + " bytes; shorten it");
  }
  const auto it = functions_.find(function.id);
  if (it == functions_.end()) return absl::OkStatus();
  const FunctionInfo& known = it->second.info;
  if (known.name != function.name) {
    return absl::InvalidArgumentError("functions " + known.name + " and " + function.name +
                                      " have the same id; rename one of them");
  }
  if (known.fingerprint != function.fingerprint) {
    return absl::FailedPreconditionError("signature mismatch: " + describe(function) +
                                         " was registered, but an app on this node offers " + describe(known) +
                                         "; run one version of the function per node");
  }
  return absl::OkStatus();
}

base::Status Registry::register_session(std::uint32_t session, std::span<const FunctionInfo> functions,
                                        std::uint32_t slots) {
  if (sessions_.contains(session)) return absl::AlreadyExistsError("the app has registered its functions already");
  if (functions.size() > options_.functions_per_app_max) {
    return absl::ResourceExhaustedError("the app registers " + std::to_string(functions.size()) +
                                        " functions, more than the " + std::to_string(options_.functions_per_app_max) +
                                        " that one app may offer");
  }
  if (slots > options_.slots_per_app_max) {
    return absl::ResourceExhaustedError("the app claims " + std::to_string(slots) + " slots, more than the " +
                                        std::to_string(options_.slots_per_app_max) + " that one app may have");
  }
  std::unordered_map<base::FunctionId, const FunctionInfo*> of_this_app;
  std::size_t new_functions = 0;
  for (const FunctionInfo& function : functions) {
    if (base::Status status = check_function(function); !status.ok()) return status;
    const auto [it, inserted] = of_this_app.emplace(function.id, &function);
    if (!inserted) {
      return absl::InvalidArgumentError("functions " + it->second->name + " and " + function.name +
                                        " have the same id in one app; rename one of them");
    }
    if (!functions_.contains(function.id)) ++new_functions;
  }
  if (functions_.size() + new_functions > options_.functions_max) {
    return absl::ResourceExhaustedError("this node would offer more than " + std::to_string(options_.functions_max) +
                                        " functions");
  }

  Session& entry = sessions_[session];
  entry.slots = slots;
  slots_ += slots;
  for (std::uint32_t index = 0; index < functions.size(); ++index) {
    Function& function = functions_[functions[index].id];
    if (function.offers.empty()) function.info = functions[index];
    function.offers.push_back({.session = session, .function_index = index});
    entry.functions.push_back(functions[index].id);
  }
  return absl::OkStatus();
}

bool Registry::unregister_session(std::uint32_t session) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return false;
  for (const base::FunctionId id : it->second.functions) {
    const auto function = functions_.find(id);
    std::erase_if(function->second.offers, [&](const Offer& offer) { return offer.session == session; });
    if (function->second.offers.empty()) functions_.erase(function);
  }
  slots_ -= it->second.slots;
  sessions_.erase(it);
  return true;
}

std::span<const Offer> Registry::lookup(base::FunctionId id) const {
  const auto it = functions_.find(id);
  if (it == functions_.end()) return {};
  return it->second.offers;
}

std::vector<FunctionInfo> Registry::offered() const {
  std::vector<FunctionInfo> all;
  all.reserve(functions_.size());
  for (const auto& [id, function] : functions_) all.push_back(function.info);
  std::sort(all.begin(), all.end(), [](const FunctionInfo& a, const FunctionInfo& b) { return a.id < b.id; });
  return all;
}

}  // namespace kaido::daemon
