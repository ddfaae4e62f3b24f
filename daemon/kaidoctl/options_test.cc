#include "daemon/kaidoctl/options.h"

#include <stdlib.h>

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

#include "proto/base/version.h"

namespace kaido::daemon {
namespace {

using namespace std::chrono_literals;

std::variant<Options, Farewell> parse(const std::vector<std::string>& arguments) {
  return parse_options(arguments, "/default.sock");
}

Options options_of(const std::vector<std::string>& arguments) {
  const auto parsed = parse(arguments);
  if (const auto* farewell = std::get_if<Farewell>(&parsed)) {
    ADD_FAILURE() << farewell->text;
    return {};
  }
  return std::get<Options>(parsed);
}

Farewell farewell_of(const std::vector<std::string>& arguments) {
  const auto parsed = parse(arguments);
  if (const auto* farewell = std::get_if<Farewell>(&parsed)) {
    return *farewell;
  }
  ADD_FAILURE() << "accepted";
  return {};
}

TEST(Options, HaveDefaults) {
  const auto options = options_of({"status"});
  EXPECT_EQ(options.command, Command::kStatus);
  EXPECT_FALSE(options.as_json);
  EXPECT_EQ(options.socket, "/default.sock");
  EXPECT_EQ(options.timeout, 5s);
}

TEST(Options, MayStandBeforeOrAfterTheCommand) {
  const auto after = options_of({"nodes", "-o", "json", "--socket=/a.sock", "--timeout", "0.25"});
  const auto before = options_of({"-o", "json", "--socket=/a.sock", "--timeout", "0.25", "nodes"});
  for (const auto& options : {after, before}) {
    EXPECT_EQ(options.command, Command::kNodes);
    EXPECT_TRUE(options.as_json);
    EXPECT_EQ(options.socket, "/a.sock");
    EXPECT_EQ(options.timeout, 250ms);
  }
}

TEST(Options, OfTheCommands) {
  EXPECT_EQ(options_of({"functions"}).command, Command::kFunctions);
  EXPECT_EQ(options_of({"tasks", "--limit", "20"}).limit, 20u);
  EXPECT_EQ(options_of({"ping"}).node, "");
  const auto ping = options_of({"ping", "beta"});
  EXPECT_EQ(ping.command, Command::kPing);
  EXPECT_EQ(ping.node, "beta");
  EXPECT_EQ(options_of({"functions", "f", "--proto-dir", "/p"}).proto_dir, "/p");
  const auto call =
      options_of({"call", "f", "{}", "--node", "beta", "--tag", "a=1", "--tag", "b=", "--fingerprint", "0f"});
  EXPECT_EQ(call.command, Command::kCall);
  EXPECT_EQ(call.function, "f");
  EXPECT_EQ(call.json, "{}");
  EXPECT_EQ(call.node, "beta");
  EXPECT_EQ(call.tags, (std::map<std::string, std::string>{{"a", "1"}, {"b", ""}}));
  EXPECT_EQ(call.fingerprint, "0f");
  EXPECT_EQ(call.call_timeout, 60s);
  EXPECT_EQ(options_of({"call", "f", "--timeout", "2"}).call_timeout, 2s);
  EXPECT_EQ(options_of({"call", "f", "--file", "x"}).file, "x");
}

TEST(Options, SocketComesFromTheEnvironmentUnlessNamed) {
  ::setenv("KAIDO_ADMIN_SOCKET", "/env.sock", 1);
  EXPECT_EQ(options_of({"status"}).socket, "/env.sock");
  EXPECT_EQ(options_of({"status", "--socket", "/a.sock"}).socket, "/a.sock");
  ::unsetenv("KAIDO_ADMIN_SOCKET");
}

TEST(Options, HelpAndVersionAreNoMistakes) {
  const auto help = farewell_of({"--help"});
  EXPECT_EQ(help.code, ExitCode::kOk);
  for (const auto* text : {"status", "nodes", "functions", "tasks", "ping", "--socket", "Examples:", "Exit codes:"}) {
    EXPECT_NE(help.text.find(text), std::string::npos) << text;
  }
  EXPECT_EQ(farewell_of({"--version"}).text, std::string("kaidoctl ") + base::kVersion + "\n");
  const auto ping_help = farewell_of({"ping", "--help"});
  EXPECT_EQ(ping_help.code, ExitCode::kOk);
  EXPECT_NE(ping_help.text.find("every node"), std::string::npos) << ping_help.text;
}

TEST(Options, MistakesAreUsageErrors) {
  const std::vector<std::vector<std::string>> mistakes = {
      {},
      {"frobnicate"},
      {"status", "extra"},
      {"status", "-o", "xml"},
      {"status", "--timeout", "0"},
      {"status", "--timeout", "soon"},
      {"tasks", "--limit", "0"},
      {"tasks", "--limit", "-1"},
      {"ping", "a", "b"},
      {"status", "--sokcet", "x"},
      {"status", "nodes"},
  };
  for (const auto& arguments : mistakes) {
    const auto farewell = farewell_of(arguments);
    EXPECT_EQ(farewell.code, ExitCode::kUsage) << testing::PrintToString(arguments);
    EXPECT_NE(farewell.text.find("try: kaidoctl --help"), std::string::npos) << farewell.text;
  }
}

TEST(Options, MistakesInValuesAreExplained) {
  EXPECT_NE(farewell_of({"tasks", "--limit", "-1"}).text.find("a whole number from 1 on, not '-1'"), std::string::npos)
      << farewell_of({"tasks", "--limit", "-1"}).text;
  EXPECT_NE(farewell_of({"tasks", "--limit", "99999999999"}).text.find("a whole number from 1 on"), std::string::npos);
  EXPECT_NE(farewell_of({"nodes", "-o", "yaml"}).text.find("'json' for scripts, not 'yaml'"), std::string::npos)
      << farewell_of({"nodes", "-o", "yaml"}).text;
  EXPECT_NE(farewell_of({"nodes", "--timeout", "soon"}).text.find("in seconds, from 0.001 to 3600, not 'soon'"),
            std::string::npos);
  EXPECT_NE(farewell_of({"nodes", "--timeout", "nan"}).text.find("not 'nan'"), std::string::npos);
}

TEST(Options, SuggestTheCommandThatWasMeant) {
  EXPECT_NE(farewell_of({"nods"}).text.find("did you mean 'nodes'?"), std::string::npos);
  EXPECT_EQ(farewell_of({"frobnicate"}).text.find("did you mean"), std::string::npos);
  EXPECT_EQ(nearest("bta", {"alpha", "beta"}), "beta");
  EXPECT_EQ(nearest("gamma", {"alpha", "beta"}), std::nullopt);
  EXPECT_EQ(nearest("x", {}), std::nullopt);
}

TEST(DefaultAdminSocket, IsTheSystemsElseTheUsers) {
  EXPECT_EQ(default_admin_socket(true, "/run/user/7", 7), "/run/kaido/admin.sock");
  EXPECT_EQ(default_admin_socket(false, "/run/user/7", 7), "/run/user/7/kaido/admin.sock");
  EXPECT_EQ(default_admin_socket(false, "", 7), "/tmp/kaido-7/admin.sock");
  EXPECT_EQ(default_admin_socket(false, "relative", 7), "/tmp/kaido-7/admin.sock");
}

}  // namespace
}  // namespace kaido::daemon
