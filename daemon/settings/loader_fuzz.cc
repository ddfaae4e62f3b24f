/// Any text gives settings or problems, within bounds; what is accepted keeps the promises of the schema.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/settings/loader.h"
#include "proto/base/check.h"

namespace kaido::daemon {
namespace {

void check_promises(const Settings& settings) {
  KAIDO_CHECK(!settings.node.name.empty());
  KAIDO_CHECK(settings.listen.app_socket.starts_with('/'));
  KAIDO_CHECK(settings.listen.app_socket != settings.listen.admin_socket);
  KAIDO_CHECK(settings.limits.max_frame_bytes <= settings.limits.queued_bytes_per_connection);
  KAIDO_CHECK(settings.limits.max_apps > 0);
  KAIDO_CHECK(settings.timeouts.peer >= 2 * settings.timeouts.ping_interval);
  using Kind = kaido::daemon::AddressSetting::Kind;
  KAIDO_CHECK(settings.security.insecure_plaintext || !settings.listen.peer ||
              settings.listen.peer->kind == Kind::kUnix);
  for (const AddressSetting& peer : settings.peers)
    KAIDO_CHECK(settings.security.insecure_plaintext || peer.kind == Kind::kUnix);
}

}  // namespace
}  // namespace kaido::daemon

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace kaido::daemon;
  const HostFacts host{"node-a", "/run/kaido", "/var/lib/kaido", true};
  const LoadResult result = load_settings({reinterpret_cast<const char*>(data), size}, "fuzz.yaml", host);
  KAIDO_CHECK(result.problems.size() <= kMaxProblems + 1);
  KAIDO_CHECK(result.ok() == result.report().empty());
  for (const Problem& problem : result.problems)
    KAIDO_CHECK(!problem.message.empty() && problem.line >= 0 && problem.column >= 0);
  if (result.ok()) check_promises(result.settings);
  return 0;
}
