#include "daemon/net/address.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

std::string round_trip(std::string_view text) {
  const auto address = Address::parse(text);
  return address.ok() ? address->to_string() : std::string(address.status().message());
}

TEST(Address, PrintsWhatItParsed) {
  for (const std::string text : {"unix:/run/kaido/kaido.sock", "unix:relative.sock", "tcp:host.example:7400",
                                 "tcp:10.0.0.1:0", "tcp:[::1]:65535", "memory:n1"}) {
    EXPECT_EQ(round_trip(text), text);
  }
}

TEST(Address, TakesAnIpv6HostOutOfItsBrackets) {
  const auto address = Address::parse("tcp:[fe80::2]:7400");
  ASSERT_TRUE(address.ok());
  EXPECT_EQ(address->host(), "fe80::2");
  EXPECT_EQ(address->port(), 7400);
}

TEST(Address, SaysWhatIsWrong) {
  const auto expect = [](std::string_view text, std::string_view what) {
    const auto address = Address::parse(text);
    ASSERT_FALSE(address.ok()) << text;
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument);
    const std::string message(address.status().message());
    EXPECT_NE(message.find(what), std::string::npos) << message;
    EXPECT_NE(message.find("write unix:/path"), std::string::npos) << message;
  };
  expect("", "the kind is missing");
  expect("/run/kaido.sock", "the kind is missing");
  expect("udp:host:1", "the kind \"udp\" is not known");
  expect("unix:", "the path is missing");
  expect("unix:/" + std::string(107, 'x'), "longer than the 107 bytes");
  expect(std::string_view("unix:/a\0b", 9), "zero byte");
  expect("tcp:host", "the port is missing");
  expect("tcp::7400", "the host is missing");
  expect("tcp:host:", "the port is not a number");
  expect("tcp:host:74x0", "the port is not a number");
  expect("tcp:host:-1", "the port is not a number");
  expect("tcp:host:65536", "the port is not a number");
  expect("tcp:::1:7400", "stands in brackets");
  expect("tcp:[::1:7400", "the bracket is not closed");
  expect("memory:", "the name is missing");
}

TEST(Address, KnowsWhatStaysOnThisHost) {
  const auto loopback = [](std::string_view text) { return Address::parse(text).value().is_loopback(); };
  EXPECT_TRUE(loopback("unix:/x"));
  EXPECT_TRUE(loopback("memory:x"));
  EXPECT_TRUE(loopback("tcp:127.0.0.1:1"));
  EXPECT_TRUE(loopback("tcp:127.8.8.8:1"));
  EXPECT_TRUE(loopback("tcp:[::1]:1"));
  EXPECT_TRUE(loopback("tcp:localhost:1"));
  EXPECT_FALSE(loopback("tcp:0.0.0.0:1"));
  EXPECT_FALSE(loopback("tcp:[::]:1"));
  EXPECT_FALSE(loopback("tcp:10.0.0.1:1"));
  EXPECT_FALSE(loopback("tcp:host.example:1"));
  EXPECT_FALSE(loopback("tcp:127.evil.example:1"));
}

}  // namespace
}  // namespace kaido::daemon
