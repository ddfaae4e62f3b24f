#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <kaido/detail/function_facts.h>
#include <kaido/detail/pending_call.h>

namespace kaido::inline abi0::detail {
namespace {

struct NamedTarget {
  NamedTarget(std::string_view function, std::uint64_t fingerprint, const SignatureSchema& schema)
      : name(function), target(FunctionFacts(name, fingerprint, schema, {}), CallTarget::Kind::kName) {}
  NamedTarget(const NamedTarget&) = delete;
  NamedTarget& operator=(const NamedTarget&) = delete;

  const std::string name;
  mutable CallTarget target;  ///< refers to `name`; its index is no part of the set's order
};

/// Transparent, so that a look-up makes no string.
struct ByNameAndSignature {
  using is_transparent = void;
  using Key = std::pair<std::string_view, std::uint64_t>;
  static Key key(const NamedTarget& known) { return {known.name, known.target.fingerprint}; }
  static const Key& key(const Key& wanted) { return wanted; }
  bool operator()(const auto& a, const auto& b) const { return key(a) < key(b); }
};

}  // namespace

CallTarget& named_target(std::string_view name, std::uint64_t fingerprint, const SignatureSchema& schema) {
  static std::mutex mutex;
  static auto* const known =
      new std::set<NamedTarget, ByNameAndSignature>();  // Never destroyed: connections refer to it.
  const std::lock_guard lock(mutex);
  auto found = known->find(ByNameAndSignature::Key(name, fingerprint));
  if (found == known->end()) found = known->emplace(name, fingerprint, schema).first;
  return found->target;
}

}  // namespace kaido::inline abi0::detail
