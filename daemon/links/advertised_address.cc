#include "daemon/links/advertised_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <array>

namespace kaido::daemon {
namespace {

// The first IPv4 address of an interface that is up and no loopback; empty if there is none.
std::string first_address() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  std::string found;
  for (const ifaddrs* each = list; each != nullptr && found.empty(); each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    if ((each->ifa_flags & IFF_UP) == 0 || (each->ifa_flags & IFF_LOOPBACK) != 0) continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    const auto* const address = reinterpret_cast<const sockaddr_in*>(each->ifa_addr);
    if (::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()) != nullptr) found = text.data();
  }
  ::freeifaddrs(list);
  return found;
}

}  // namespace

std::string advertised_address(const Address& bound) {
  if (bound.kind() != Address::Kind::kTcp) return bound.to_string();
  if (bound.host() != "0.0.0.0" && bound.host() != "::") return bound.to_string();
  const std::string host = first_address();
  return Address::tcp(host.empty() ? "127.0.0.1" : host, bound.port()).to_string();
}

}  // namespace kaido::daemon
