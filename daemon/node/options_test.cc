#include "daemon/node/options.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proto/wire/frame.h"
#include "proto/wire/limits.h"

namespace kaido::daemon {
namespace {

AddressSetting tcp(const std::string& host) { return {.host = host, .port = 7401}; }
AddressSetting unix_socket(const std::string& path) { return {.kind = AddressSetting::Kind::kUnix, .path = path}; }

std::string warning(std::optional<AddressSetting> listen, std::vector<AddressSetting> dialed) {
  Settings settings;
  settings.listen.peer = std::move(listen);
  settings.peers = std::move(dialed);
  return plaintext_warning(settings).value_or("");
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(PlaintextWarning, SaysWhoCanPoseAsANode) {
  EXPECT_TRUE(has(warning(tcp("127.0.0.1"), {}), "every user of this host can pose as a node"));
  EXPECT_TRUE(has(warning(tcp("10.0.0.7"), {}), "whoever reaches 10.0.0.7:7401 can pose as a node"));
  EXPECT_TRUE(has(warning(tcp("10.0.0.7"), {tcp("10.0.0.8")}), "whoever reaches 10.0.0.7:7401"));
}

TEST(PlaintextWarning, ANodeThatOnlyDialsTrustsWhoeverAnswers) {
  EXPECT_TRUE(has(warning(std::nullopt, {tcp("10.0.0.8")}), "whoever answers at 10.0.0.8:7401, or is on the way"));
  EXPECT_TRUE(has(warning(unix_socket("/x"), {tcp("127.0.0.1")}), "user of this host listens at 127.0.0.1:7401 can"));
  EXPECT_TRUE(has(warning(std::nullopt, {unix_socket("/x"), tcp("127.0.0.1"), tcp("10.0.0.8")}),
                  "at 10.0.0.8:7401 or another of \"peers\""))
      << "the one that gives away most";
}

TEST(PlaintextWarning, UnixSocketsGiveNothingAway) {
  EXPECT_EQ(warning(std::nullopt, {}), "");
  EXPECT_EQ(warning(unix_socket("/x"), {unix_socket("/y")}), "");
}

// A node that only pauses may find no room for the answer of any of its calls.
TEST(LinksOptions, ReserveRoomForAnErrorForEachCall) {
  Settings settings;
  constexpr std::size_t kErrorBytes = wire::kHeaderBytes + wire::kLeastErrorBytes;
  const auto reserved = [&](std::uint32_t calls) {
    settings.limits.calls_per_peer = calls;
    return links_options(settings).peer_listen.connection.reserved_bytes;
  };
  EXPECT_EQ(reserved(1), wire::kReservedQueuedBytes);
  EXPECT_EQ(reserved(50'000), 50'000 * kErrorBytes);
  EXPECT_EQ(reserved(10'000'000), settings.limits.memory.count / 8) << "no more than memory allows";
  EXPECT_EQ(links_options(settings).app_listen.connection.reserved_bytes, wire::kReservedQueuedBytes);
  settings.limits.calls_per_app = 20'000;
  EXPECT_EQ(links_options(settings).app_listen.connection.reserved_bytes, 20'000 * kErrorBytes);
}

}  // namespace
}  // namespace kaido::daemon
