#include "proto/base/wildcard.h"

#include <arpa/inet.h>
#include <netinet/in.h>

namespace kaido::base {

Wildcard wildcard_of(const std::string& host) {
  in_addr v4 = {};
  if (inet_aton(host.c_str(), &v4) != 0) return v4.s_addr == INADDR_ANY ? Wildcard::kAllV4 : Wildcard::kNone;
  in6_addr v6 = {};
  if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return Wildcard::kNone;
  if (IN6_IS_ADDR_UNSPECIFIED(&v6)) return Wildcard::kAllV6;
  return IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr32[3] == INADDR_ANY ? Wildcard::kAllV4 : Wildcard::kNone;
}

}  // namespace kaido::base
