#include "daemon/core/registry/registry.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/status/status.h"
#include "daemon/core/schema/parsed_schema.h"
#include "proto/base/ids.h"

namespace kaido::daemon {
namespace {

std::string describe(const FunctionInfo& function) {
  return function.name + " " + function.signature + (function.signature.empty() ? "" : " ") + "(fingerprint " +
         base::to_hex(function.fingerprint) + ")";
}

/// An app's part of what other apps' functions have left.
constexpr std::size_t kShareDivisor = 2;

}  // namespace

std::optional<Registry::Refusal> Registry::check_function(const FunctionInfo& function) const {
  if (function.name.empty())
    return Refusal{absl::InvalidArgumentError("a function without a name was registered; name it")};
  if (function.name.size() > options_.name_bytes_max) {
    return Refusal{absl::InvalidArgumentError("the name of function " + function.name.substr(0, 64) +
                                              "… is longer than " + std::to_string(options_.name_bytes_max) +
                                              " bytes; shorten it")};
  }
  const FunctionInfo* const offered = offered_.find(function.id);
  if (offered == nullptr) return check_schema(function);
  const FunctionInfo& known = *offered;
  if (known.name != function.name) {
    // Which is in the way for as long as that app is here, as another version is.
    return Refusal{absl::FailedPreconditionError("functions " + known.name +
                                                 ", which an app on this node offers, and " + function.name +
                                                 " have the same id; rename one of them")};
  }
  if (known.fingerprint != function.fingerprint) {
    return Refusal{absl::FailedPreconditionError("signature mismatch: " + describe(function) +
                                                 " was registered, but an app on this node offers " + describe(known) +
                                                 "; run one version of the function per node"),
                   &RegistryCounters::refused_signature};
  }
  if (known.schema == function.schema) return std::nullopt;
  return check_schema(function);
}

std::optional<Registry::Refusal> Registry::check_schema(const FunctionInfo& function) const {
  const std::size_t bytes = function.schema.bytes().size();
  if (bytes > options_.schema_bytes_max || function.signature.size() > options_.signature_bytes_max) {
    return Refusal{
        absl::ResourceExhaustedError("the schema of function " + function.name + " takes " + std::to_string(bytes) +
                                     " bytes, its signature " + std::to_string(function.signature.size()) +
                                     "; they may take " + std::to_string(options_.schema_bytes_max) + " and " +
                                     std::to_string(options_.signature_bytes_max) + ": use smaller types"),
        &RegistryCounters::refused_schema};
  }
  if (function.schema.empty()) return std::nullopt;
  if (const auto it = checked_.find(function.id); it != checked_.end() && it->second == function.schema)
    return std::nullopt;
  const auto parsed = ParsedSchema::parse(function.schema.bytes());
  if (parsed.ok()) return std::nullopt;
  return Refusal{
      absl::InvalidArgumentError("function " + function.name + " has a " + std::string(parsed.status().message())),
      &RegistryCounters::refused_schema};
}

void Registry::remember_checked(const FunctionInfo& function) {
  if (function.schema.empty()) return;
  if (checked_bytes_ + function.schema.bytes().size() > options_.bytes_max) {
    checked_.clear();
    checked_bytes_ = 0;
  }
  Schema& checked = checked_[function.id];
  checked_bytes_ += function.schema.bytes().size() - checked.bytes().size();
  checked = function.schema;
}

std::optional<Registry::Refusal> Registry::check_functions(std::span<const FunctionInfo> functions) const {
  std::map<base::FunctionId, const FunctionInfo*> of_this_app;
  std::size_t new_functions = 0;
  std::size_t bytes = 0;
  std::size_t new_bytes = 0;
  for (const FunctionInfo& function : functions) {
    bytes += text_bytes(function);
    const auto [it, inserted] = of_this_app.emplace(function.id, &function);
    if (!inserted) {
      return Refusal{absl::InvalidArgumentError("functions " + it->second->name + " and " + function.name +
                                                " have the same id in one app; rename one of them")};
    }
    if (offers_.contains(function.id)) continue;
    ++new_functions;
    new_bytes += text_bytes(function);
  }
  const auto limit = [](const std::string& text) {
    return Refusal{absl::ResourceExhaustedError(text), &RegistryCounters::refused_limit};
  };
  // What others hold may be given back, so the app may try again; and it may have no more than half of what is left, so
  // that a few apps with many functions leave something for one with a few.
  const auto full = [](const std::string& text) {
    return Refusal{absl::UnavailableError(text), &RegistryCounters::refused_limit};
  };
  if (new_functions > (options_.functions_max - offers_.size()) / kShareDivisor) {
    return full("this node offers " + std::to_string(offers_.size()) + " functions of " +
                std::to_string(options_.functions_max) + " that it may, too many for " + std::to_string(new_functions) +
                " more of one app; offer fewer");
  }
  if (bytes > options_.bytes_per_app_max) {
    return limit("the app's functions are described in " + std::to_string(bytes) + " bytes, more than the " +
                 std::to_string(options_.bytes_per_app_max) +
                 " that one app may take; offer fewer, or with smaller types");
  }
  if (new_bytes > (options_.bytes_max - offered_.text_bytes()) / kShareDivisor) {
    return full("this node describes its functions in " + std::to_string(offered_.text_bytes()) + " bytes of " +
                std::to_string(options_.bytes_max) + " that it may, too many for " + std::to_string(new_bytes) +
                " more of one app; offer fewer, or with smaller types");
  }
  // Last, for reading schemas is what costs.
  for (const FunctionInfo& function : functions) {
    if (auto refusal = check_function(function)) return refusal;
  }
  return std::nullopt;
}

std::optional<Registry::Refusal> Registry::check_session(std::uint32_t session, std::span<const FunctionInfo> functions,
                                                         WorkerSlots slots) const {
  if (sessions_.contains(session))
    return Refusal{absl::AlreadyExistsError("the app has registered its functions already")};
  if (functions.size() > options_.functions_per_app_max) {
    return Refusal{absl::ResourceExhaustedError(
                       "the app registers " + std::to_string(functions.size()) + " functions, more than the " +
                       std::to_string(options_.functions_per_app_max) + " that one app may offer"),
                   &RegistryCounters::refused_limit};
  }
  if (auto refusal = check_slots(functions, slots)) return refusal;
  return check_functions(functions);
}

// A function without a slot for it would take calls and never run them.
std::optional<Registry::Refusal> Registry::check_slots(std::span<const FunctionInfo> functions,
                                                       WorkerSlots slots) const {
  for (const std::uint32_t each : {slots.compute, slots.task}) {
    if (each <= options_.slots_per_app_max) continue;
    return Refusal{absl::ResourceExhaustedError("the app claims " + std::to_string(each) + " slots, more than the " +
                                                std::to_string(options_.slots_per_app_max) + " that one app may have"),
                   &RegistryCounters::refused_limit};
  }
  for (const FunctionInfo& function : functions) {
    if ((function.is_task ? slots.task : slots.compute) > 0) continue;
    return Refusal{absl::InvalidArgumentError("the app offers " + function.name +
                                              " and no slot to run it in; its calls would wait for ever"),
                   &RegistryCounters::refused_invalid};
  }
  return std::nullopt;
}

base::Status Registry::register_session(std::uint32_t session, std::span<const FunctionInfo> functions,
                                        WorkerSlots slots) {
  if (auto refusal = check_session(session, functions, slots)) {
    ++(counters_.*(refusal->counter));
    return std::move(refusal->status);
  }
  Session& entry = sessions_[session];
  entry.slots = slots;
  slots_.compute += slots.compute;
  slots_.task += slots.task;
  for (std::uint32_t index = 0; index < functions.size(); ++index) {
    std::vector<Offer>& offers = offers_[functions[index].id];
    if (offers.empty()) {
      offered_.put(functions[index]);
      remember_checked(functions[index]);
    }
    offers.push_back({.session = session, .function_index = index});
    entry.functions.push_back(functions[index].id);
  }
  return absl::OkStatus();
}

bool Registry::unregister_session(std::uint32_t session) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return false;
  for (const base::FunctionId id : it->second.functions) {
    const auto offers = offers_.find(id);
    std::erase_if(offers->second, [&](const Offer& offer) { return offer.session == session; });
    if (!offers->second.empty()) continue;
    offers_.erase(offers);
    offered_.erase(id);
  }
  slots_.compute -= it->second.slots.compute;
  slots_.task -= it->second.slots.task;
  sessions_.erase(it);
  return true;
}

std::span<const Offer> Registry::lookup(base::FunctionId id) const {
  const auto it = offers_.find(id);
  if (it == offers_.end()) return {};
  return it->second;
}

}  // namespace kaido::daemon
