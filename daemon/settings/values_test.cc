/// The small parsers and rules under the loader: units, addresses, names, default paths.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/settings/default_paths.h"
#include "daemon/settings/names.h"
#include "daemon/settings/units.h"

namespace kaido::daemon {
namespace {

template <class T>
std::string error_of(const Parsed<T>& parsed) {
  const auto* error = std::get_if<ParseError>(&parsed);
  return error == nullptr ? "no error" : error->message;
}

TEST(Units, DurationsRoundTrip) {
  for (const std::string_view text : {"0", "1ns", "250us", "250ms", "10s", "90s", "5m", "24h"}) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(std::holds_alternative<Duration>(parsed)) << text << ": " << error_of(parsed);
    EXPECT_EQ(to_string(std::get<Duration>(parsed)), text);
  }
  EXPECT_EQ(std::get<Duration>(parse_duration("120s")), std::chrono::minutes(2));
}

TEST(Units, RefusesDurationsThatCouldMeanSomethingElse) {
  EXPECT_NE(error_of(parse_duration("10")).find("the unit is missing"), std::string::npos);
  for (const std::string_view text : {"", "s", "-1s", "1.5s", "1 s", "5 sec", "1h30m", "1S", "01s", "1d"}) {
    EXPECT_TRUE(std::holds_alternative<ParseError>(parse_duration(text))) << text;
  }
  EXPECT_NE(error_of(parse_duration("99999999999h")).find("too large"), std::string::npos);
  EXPECT_NE(error_of(parse_duration("99999999999999999999ns")).find("too large"), std::string::npos);
}

TEST(Units, SizesRoundTrip) {
  for (const std::string_view text : {"0", "1B", "1000B", "64KiB", "3MiB", "16GiB"}) {
    const auto parsed = parse_bytes(text);
    ASSERT_TRUE(std::holds_alternative<Bytes>(parsed)) << text << ": " << error_of(parsed);
    EXPECT_EQ(to_string(std::get<Bytes>(parsed)), text);
  }
  for (const std::string_view text : {"64", "64MB", "64M", "64mib", "1.5GiB", "99999999999GiB"}) {
    EXPECT_TRUE(std::holds_alternative<ParseError>(parse_bytes(text))) << text;
  }
}

TEST(Units, AddressesRoundTrip) {
  for (const std::string_view text : {"127.0.0.1:7600", "localhost:0", "node-b.example.com:65535", "[::1]:7600",
                                      "[2001:db8::7]:1", "unix:/run/kaido/peer.sock"}) {
    const auto parsed = parse_address(text);
    ASSERT_TRUE(std::holds_alternative<AddressSetting>(parsed)) << text << ": " << error_of(parsed);
    EXPECT_EQ(to_string(std::get<AddressSetting>(parsed)), text);
  }
}

TEST(Units, RefusesBadAddresses) {
  for (const std::string& text :
       {std::string(""), std::string("host"), std::string(":7600"), std::string("a b:1"), std::string("host:"),
        std::string("host:65536"), std::string("host:-1"), std::string("host:080"), std::string("::1:7600"),
        std::string("[::1]"), std::string("[zz]:1"), std::string("256.0.0.1:1"), std::string("1.2.3:1"),
        std::string("-a:1"), std::string("http://a:1"), std::string("unix:relative"), std::string("unix:"),
        "unix:/" + std::string(107, 'x')}) {
    EXPECT_TRUE(std::holds_alternative<ParseError>(parse_address(text))) << text;
  }
}

TEST(Units, KnowsWhatIsLocal) {
  EXPECT_EQ(std::get<AddressSetting>(parse_address("tcp:node-b:7600")),
            std::get<AddressSetting>(parse_address("node-b:7600")))
      << "as logs and kaidoctl show it";
  EXPECT_EQ(to_string(std::get<AddressSetting>(parse_address("tcp:[::1]:7600"))), "[::1]:7600");
  EXPECT_EQ(std::get<AddressSetting>(parse_address("tcp:7600")).host, "tcp") << "a host may be called so";
  const auto is_local = [](std::string_view text) { return std::get<AddressSetting>(parse_address(text)).is_local(); };
  for (const std::string_view text : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "unix:/a"}) {
    EXPECT_TRUE(is_local(text)) << text;
  }
  // Names are not resolved, and an IPv4 address in IPv6 dress is not worth a rule.
  for (const std::string_view text :
       {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "localhost.example.com:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_FALSE(is_local(text)) << text;
  }
}

TEST(Names, FollowsKubernetes) {
  EXPECT_TRUE(is_label_key("zone"));
  EXPECT_TRUE(is_label_key("topology.kubernetes.io/zone"));
  EXPECT_TRUE(is_label_key(std::string(63, 'a')));
  for (const std::string& key : {std::string(""), std::string("-a"), std::string("a-"), std::string("a b"),
                                 std::string("/a"), std::string("a/"), std::string("a/b/c"), std::string(64, 'a')}) {
    EXPECT_FALSE(is_label_key(key)) << key;
  }
  EXPECT_TRUE(is_label_value(""));
  EXPECT_FALSE(is_label_value("a b"));
  EXPECT_TRUE(is_node_name("node-1.example.com"));
  EXPECT_FALSE(is_node_name("node_1."));
}

TEST(Names, CountsEdits) {
  EXPECT_EQ(edit_distance("drain", "drain"), 0U);
  EXPECT_EQ(edit_distance("drian", "drain"), 1U);  // a swap is one slip
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("peer", "peers"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

ProcessFacts user() {
  return {.uid = 1000, .host_name = "laptop", .xdg_runtime_dir = "/run/user/1000", .home = "/srv/ada"};
}

TEST(DefaultPaths, RootUsesSystemFolders) {
  ProcessFacts process = user();
  process.uid = 0;
  const Settings settings = default_settings(host_facts(process));
  EXPECT_EQ(settings.listen.app_socket, "/run/kaido/kaidod.sock");
  EXPECT_EQ(settings.listen.app_socket_mode, 0660U);
  EXPECT_EQ(settings.listen.admin_socket, "/run/kaido/admin.sock");
  EXPECT_EQ(settings.node.state_dir, "/var/lib/kaido");
  EXPECT_EQ(settings.node.name, "laptop");
}

TEST(DefaultPaths, ServiceUserWithSystemFolderUsesIt) {
  ProcessFacts process = user();
  process.system_run_dir_writable = true;
  EXPECT_EQ(host_facts(process).run_dir, "/run/kaido");
}

TEST(DefaultPaths, UserUsesOwnFolders) {
  const Settings settings = default_settings(host_facts(user()));
  EXPECT_EQ(settings.listen.app_socket, "/run/user/1000/kaido/kaidod.sock");
  EXPECT_EQ(settings.listen.app_socket_mode, 0600U);
  EXPECT_EQ(settings.node.state_dir, "/srv/ada/.local/state/kaido");
}

TEST(DefaultPaths, UserWithoutRuntimeFolderUsesTmp) {
  ProcessFacts process = user();
  process.xdg_runtime_dir = "relative";  // the XDG specification: to be ignored
  process.home = "";
  EXPECT_EQ(host_facts(process).run_dir, "/tmp/kaido-1000");
  EXPECT_EQ(host_facts(process).state_dir, "/tmp/kaido-1000");
  process.xdg_state_home = "/state";
  EXPECT_EQ(host_facts(process).state_dir, "/state/kaido");
}

TEST(DefaultPaths, HostWithoutUsableNameStillGetsOne) {
  ProcessFacts process = user();
  process.host_name = "bad name";
  EXPECT_EQ(host_facts(process).host_name, "localhost");
  EXPECT_TRUE(is_node_name(host_facts(current_process_facts()).host_name));
}

}  // namespace
}  // namespace kaido::daemon
