#include "daemon/links/advertised_address.h"

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

using Hosts = std::vector<std::string>;

const Hosts kBoth = {"fd00::7", "192.0.2.7", "192.0.2.8"};

TEST(AdvertisedAddress, IsTheBoundOneWhereThatCanBeDialed) {
  EXPECT_EQ(advertised_address(Address::tcp("127.0.0.1", 7600), kBoth), "tcp:127.0.0.1:7600");
  EXPECT_EQ(advertised_address(Address::tcp("fd00::9", 7600), kBoth), "tcp:[fd00::9]:7600");
  EXPECT_EQ(advertised_address(Address::unix_socket("/run/peer.sock"), kBoth), "unix:/run/peer.sock");
  EXPECT_EQ(advertised_address(Address::memory("a"), kBoth), "memory:a");
}

TEST(AdvertisedAddress, OfAWildcardIsTheFirstThatItStandsFor) {
  EXPECT_EQ(advertised_address(Address::tcp("0.0.0.0", 7600), kBoth), "tcp:192.0.2.7:7600");
  EXPECT_EQ(advertised_address(Address::tcp("::", 7600), kBoth), "tcp:192.0.2.7:7600");
  EXPECT_EQ(advertised_address(Address::tcp("0::0", 7600), kBoth), "tcp:192.0.2.7:7600") << "written otherwise";
  EXPECT_EQ(advertised_address(Address::tcp("::ffff:0.0.0.0", 7600), kBoth), "tcp:192.0.2.7:7600");
  EXPECT_EQ(advertised_address(Address::tcp("::ffff:192.0.2.9", 7600), kBoth), "tcp:[::ffff:192.0.2.9]:7600");
}

TEST(AdvertisedAddress, OnAHostWithoutIPv4IsAnIPv6OneIfThatIsListenedOn) {
  const Hosts v6 = {"fd00::7", "fd00::8"};
  EXPECT_EQ(advertised_address(Address::tcp("::", 7600), v6), "tcp:[fd00::7]:7600");
  EXPECT_EQ(advertised_address(Address::tcp("0.0.0.0", 7600), v6), "tcp:127.0.0.1:7600") << "nobody listens at IPv6";
}

TEST(AdvertisedAddress, OfAHostOnItsOwnIsLoopback) {
  EXPECT_EQ(advertised_address(Address::tcp("0.0.0.0", 7600), {}), "tcp:127.0.0.1:7600");
  EXPECT_EQ(advertised_address(Address::tcp("::ffff:0.0.0.0", 7600), Hosts{"fd00::7"}), "tcp:127.0.0.1:7600");
  EXPECT_EQ(advertised_address(Address::tcp("::", 7600), {}), "tcp:127.0.0.1:7600");
}

TEST(AdvertisedAddress, HostsAreAddressesThatOthersMayDial) {
  for (const std::string& host : reachable_hosts()) {
    EXPECT_TRUE(Address::parse(Address::tcp(host, 1).to_string()).ok()) << host;
    EXPECT_NE(host, "127.0.0.1");
    EXPECT_NE(host, "::1");
    EXPECT_NE(host, "0.0.0.0");
    EXPECT_FALSE(host.starts_with("fe80:")) << host << " is of one link";
  }
}

}  // namespace
}  // namespace kaido::daemon
