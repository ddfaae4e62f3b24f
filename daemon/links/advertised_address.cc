#include "daemon/links/advertised_address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "proto/base/wildcard.h"

namespace kaido::daemon {
namespace {

bool is_v6(const std::string& host) { return host.find(':') != std::string::npos; }

// Empty for an address that means nothing on another host.
std::string text_of(const sockaddr& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* bytes = nullptr;
  if (address.sa_family == AF_INET) {
    bytes = &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  } else if (address.sa_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (!IN6_IS_ADDR_LINKLOCAL(&v6) && !IN6_IS_ADDR_LOOPBACK(&v6)) bytes = &v6;
  }
  if (bytes == nullptr || ::inet_ntop(address.sa_family, bytes, text.data(), text.size()) == nullptr) return {};
  return text.data();
}

}  // namespace

std::string advertised_address(const Address& bound, std::span<const std::string> hosts) {
  if (bound.kind() != Address::Kind::kTcp) return bound.to_string();
  const base::Wildcard wildcard = base::wildcard_of(bound.host());
  if (wildcard == base::Wildcard::kNone) return bound.to_string();
  auto found = std::find_if_not(hosts.begin(), hosts.end(), is_v6);
  if (found == hosts.end() && wildcard == base::Wildcard::kAllV6)
    found = std::find_if(hosts.begin(), hosts.end(), is_v6);
  return Address::tcp(found == hosts.end() ? "127.0.0.1" : *found, bound.port()).to_string();
}

std::vector<std::string> reachable_hosts() {
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return {};
  std::vector<std::string> hosts;
  for (const ifaddrs* each = list; each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr || (each->ifa_flags & IFF_UP) == 0 || (each->ifa_flags & IFF_LOOPBACK) != 0) continue;
    if (std::string host = text_of(*each->ifa_addr); !host.empty()) hosts.push_back(std::move(host));
  }
  ::freeifaddrs(list);
  return hosts;
}

}  // namespace kaido::daemon
