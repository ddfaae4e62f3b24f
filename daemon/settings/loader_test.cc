#include "daemon/settings/loader.h"

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kaido::daemon {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const HostFacts kHost{"host-7", "/run/kaido", "/var/lib/kaido", true};

LoadResult load(std::string_view text) { return load_settings(text, "k.yaml", kHost); }

/// The problems of a text that has some, as "line:column: message".
std::vector<std::string> problems(std::string_view text) {
  std::vector<std::string> found;
  for (const Problem& problem : load(text).problems)
    found.push_back(to_string(problem).substr(std::string("k.yaml:").size()));
  return found;
}

using Problems = std::vector<std::string>;

TEST(Loader, EmptyTextGivesDefaults) {
  for (const std::string_view text : {"", "# nothing\n", "---\n", "node:\nlimits:\n  # calls_per_app: 1\n"}) {
    const LoadResult result = load(text);
    ASSERT_TRUE(result.ok()) << result.report();
    EXPECT_EQ(result.settings.node.name, "host-7");
    EXPECT_EQ(result.settings.listen.app_socket, "/run/kaido/kaidod.sock");
    EXPECT_EQ(result.settings.listen.peer, std::nullopt);
    EXPECT_EQ(result.settings.limits.max_frame_bytes, Bytes{64U << 20});
  }
}

TEST(Loader, ReadsEveryTypeOfValue) {
  const LoadResult result = load(R"(
node:
  name: "n1"
  state_dir: /srv/kaido
  tags: {zone: eu-1, "example.com/gpu": true, empty: ""}
  taints:
    - {key: gpu, value: a100, effect: NoExecute}
    - key: edge
  slots: 8
listen:
  app_socket_mode: 0666
  peer: "[::1]:7600"
  advertise: 192.0.2.7:7601
  http: none
peers: [localhost:7601, unix:/run/b.sock]
security: {insecure_http: true, insecure_plaintext: true}
limits: {max_frame_bytes: 16MiB, queue_length: 10, template_bytes_per_connection: 1MiB}
timeouts: {drain: 0, ping_interval: 250ms, app: 3s, reconnect_grace: 0, forget_node: 10m}
log: {level: warn, format: json}
)");
  ASSERT_TRUE(result.ok()) << result.report();
  const Settings& settings = result.settings;
  EXPECT_EQ(settings.node.name, "n1");
  EXPECT_EQ(settings.node.state_dir, "/srv/kaido");
  // Text stays text: no value is taken for a boolean or a number where text is asked for.
  EXPECT_EQ(settings.node.tags,
            (std::map<std::string, std::string>{{"zone", "eu-1"}, {"example.com/gpu", "true"}, {"empty", ""}}));
  EXPECT_EQ(settings.node.taints, (std::vector<TaintSetting>{{"gpu", "a100", TaintEffect::kNoExecute},
                                                             {"edge", "", TaintEffect::kNoSchedule}}));
  EXPECT_EQ(settings.node.slots, 8U);
  EXPECT_EQ(settings.listen.app_socket_mode, 0666U);
  ASSERT_TRUE(settings.listen.peer.has_value());
  EXPECT_EQ(to_string(*settings.listen.peer), "[::1]:7600");
  ASSERT_TRUE(settings.listen.advertise.has_value());
  EXPECT_EQ(to_string(*settings.listen.advertise), "192.0.2.7:7601");
  ASSERT_EQ(settings.peers.size(), 2U);
  EXPECT_EQ(to_string(settings.peers[1]), "unix:/run/b.sock");
  EXPECT_TRUE(settings.security.insecure_http);
  EXPECT_EQ(settings.limits.max_frame_bytes, Bytes{16U << 20});
  EXPECT_EQ(settings.limits.queue_length, 10U);
  EXPECT_EQ(settings.limits.template_bytes_per_connection, Bytes{1U << 20});
  EXPECT_EQ(settings.timeouts.drain, seconds(0));
  EXPECT_EQ(settings.timeouts.ping_interval, milliseconds(250));
  EXPECT_EQ(settings.timeouts.app, seconds(3));
  EXPECT_EQ(settings.timeouts.reconnect_grace, seconds(0));
  EXPECT_EQ(settings.timeouts.forget_node, std::chrono::minutes(10));
  EXPECT_EQ(settings.log.level, LogLevel::kWarn);
  EXPECT_EQ(settings.log.format, LogFormat::kJson);
}

TEST(Loader, ReportsAllProblemsInTheOrderOfTheFile) {
  const LoadResult result = load("log: {level: loud}\nnode:\n  nmae: x\n  slots: many\n");
  EXPECT_EQ(result.report(),
            "k.yaml:1:14: \"log.level\": \"loud\" is not known; write debug, info, warn, error or off\n"
            "k.yaml:3:3: unknown key \"nmae\" in \"node\"; did you mean \"name\"?\n"
            "k.yaml:4:10: \"node.slots\": \"many\": write a whole number in decimal digits, like 64, or write auto\n");
}

TEST(Loader, RefusesUnknownKeysAndNamesTheNearest) {
  EXPECT_EQ(problems("lmits: {}"), Problems{"1:1: unknown key \"lmits\" at the top level; did you mean \"limits\"?"});
  EXPECT_EQ(problems("timeouts: {drian: 5s}"),
            Problems{"1:12: unknown key \"drian\" in \"timeouts\"; did you mean \"drain\"?"});
  EXPECT_EQ(problems("drain: 5s"),
            Problems{"1:1: unknown key \"drain\" at the top level; it belongs under \"timeouts\""});
  EXPECT_EQ(problems("security: {peers: []}"),
            Problems{"1:12: unknown key \"peers\" in \"security\"; it belongs at the top level"});
  EXPECT_EQ(problems("log: {colour: red}"),
            Problems{"1:7: unknown key \"colour\" in \"log\"; known here: level, format"});
  EXPECT_EQ(problems("log: {<<: {level: info}}"),
            Problems{"1:7: unknown key \"<<\" in \"log\"; merge keys are not supported, write the values out"});
}

TEST(Loader, RefusesRepeatedKeys) {
  EXPECT_EQ(problems("node:\n  name: a\nlog: {}\nnode: {}\n"),
            Problems{"4:1: \"node\" is set twice; it was first set in line 1, remove one of the two"});
  EXPECT_EQ(problems("node:\n  name: a\n  \"name\": b\n"),
            Problems{"3:3: \"name\" is set twice; it was first set in line 2, remove one of the two"});
  EXPECT_EQ(problems("node:\n  tags:\n    a: 1\n    a: 2\n"),
            Problems{"4:5: \"a\" is set twice; it was first set in line 3, remove one of the two"});
  EXPECT_EQ(problems("security: {insecure_plaintext: true}\npeers: [localhost:1, localhost:1]"),
            Problems{"2:22: \"peers[1]\": \"localhost:1\" is in the list twice; remove one"});
}

TEST(Loader, ExplainsBooleansAndNumbers) {
  for (const std::string word : {"yes", "on", "True", "1"}) {
    EXPECT_EQ(problems("security: {insecure_http: " + word + "}"),
              Problems{"1:27: \"security.insecure_http\": \"" + word +
                       "\" is text here, since readers of YAML differ on yes, no, on and off; write true or false"});
  }
  EXPECT_EQ(problems("security: {insecure_http: \"true\"}"),
            Problems{"1:27: \"security.insecure_http\": \"true\" is text because of the quotes; write true or false "
                     "without them"});
  EXPECT_EQ(problems("node: {slots: 010}"), Problems{"1:15: \"node.slots\": \"010\": a leading zero means octal to "
                                                     "some readers of YAML; remove it, or write auto"});
  for (const std::string number : {"0x10", "1e3", "1_000", "-1", "+1", "1.0"}) {
    EXPECT_EQ(
        problems("limits: {max_apps: " + number + "}"),
        Problems{"1:20: \"limits.max_apps\": \"" + number + "\": write a whole number in decimal digits, like 64"});
  }
}

TEST(Loader, RefusesWhatIsOutOfRange) {
  EXPECT_EQ(problems("node: {slots: 0}"),
            Problems{"1:15: \"node.slots\": 0 is out of range; choose from 1 to 1000000, or write auto"});
  EXPECT_EQ(problems("limits: {max_apps: 4294967297}"),
            Problems{"1:20: \"limits.max_apps\": 4294967297 is out of range; choose from 1 to 100000"});
  EXPECT_EQ(problems("timeouts: {handshake: 2m}"),
            Problems{"1:23: \"timeouts.handshake\": 2m is out of range; choose from 10ms to 1m"});
  EXPECT_EQ(problems("limits: {max_frame_bytes: 2GiB}"),
            Problems{"1:27: \"limits.max_frame_bytes\": 2GiB is out of range; choose from 64KiB to 1GiB"});
  std::string tags = "node:\n  tags:\n";
  for (int i = 0; i < 65; ++i) tags += "    t" + std::to_string(i) + ": x\n";
  EXPECT_EQ(problems(tags), Problems{"3:5: \"node.tags\": has 65 entries; at most 64 are possible, remove some"});
}

TEST(Loader, RefusesWrongTypes) {
  EXPECT_EQ(problems("42"), Problems{"1:1: the file must be a mapping; write one \"key: value\" per line"});
  EXPECT_EQ(problems("node: [a]"), Problems{"1:7: \"node\" must be a mapping; write one \"key: value\" per line"});
  EXPECT_EQ(problems("node: {name: [a]}"), Problems{"1:14: \"node.name\": is a list; write a name"});
  EXPECT_EQ(problems("node: {name: }"),
            Problems{"1:14: \"node.name\": has no value; write a name, or remove the key to get the default"});
  EXPECT_EQ(problems("peers: localhost:1"),
            Problems{"1:8: \"peers\": is a single value; write a list of addresses: one \"- host:port\" per line"});
  EXPECT_EQ(problems("? [a]\n: b\n"),
            Problems{"1:3: a key at the top level must be a plain name; write \"key: value\""});
}

TEST(Loader, RefusesBadTaints) {
  EXPECT_EQ(
      problems("node: {taints: [{key: a, effect: noschedule}, {effect: NoExecute}, {kay: b}, c]}"),
      (Problems{
          "1:34: \"node.taints[0].effect\": \"noschedule\" is not known; write NoSchedule, PreferNoSchedule or "
          "NoExecute",
          "1:47: \"node.taints[1]\": has no \"key\"; add one, like key: gpu",
          "1:69: \"node.taints[2]\": unknown key \"kay\"; a taint has key, value or effect",
          "1:78: \"node.taints[3]\": is a single value; write a taint as {key: ..., value: ..., effect: NoSchedule}"}));
}

TEST(Loader, RefusesPlainTextBeyondThisHost) {
  const std::string text = "listen: {peer: 0.0.0.0:7600}\npeers:\n  - bad\n  - localhost:1\n  - 10.0.0.2:7600\n";
  const std::string remedy =
      ", and peers speak plain text; meet over a Unix socket (unix:/path), or accept that where everybody who can "
      "reach "
      "it is trusted with \"insecure_plaintext: true\" under \"security\"";
  EXPECT_EQ(problems(text),
            (Problems{"1:16: \"listen.peer\": \"0.0.0.0:7600\" can be reached from other hosts" + remedy,
                      "3:5: \"peers[0]\": \"bad\" is not an address; write host:port, [IPv6]:port or unix:/path, like "
                      "127.0.0.1:7600",
                      "4:5: \"peers\": \"localhost:1\" can be reached by every user of this host" + remedy,
                      "5:5: \"peers\": \"10.0.0.2:7600\" can be reached from other hosts" + remedy}));
  EXPECT_TRUE(load("listen: {peer: \"unix:/run/kaido/peer.sock\"}\npeers: [\"unix:/run/other.sock\"]").ok());
  EXPECT_TRUE(load("listen: {peer: 0.0.0.0:7600}\nsecurity: {insecure_plaintext: true}").ok());
  EXPECT_FALSE(load("listen: {http: 0.0.0.0:80}").ok());
  EXPECT_TRUE(load("listen: {http: 0.0.0.0:80}\nsecurity: {insecure_http: true}").ok());
}

TEST(Loader, RefusesToListenOnNames) {
  EXPECT_EQ(
      problems("listen:\n  peer: node-b:7600\n  http: localhost:1\n"),
      Problems{"2:9: \"listen.peer\": \"node-b:7600\" names a host; a node listens on addresses of its own: write "
               "one, like 127.0.0.1:7600, or localhost"});
  EXPECT_EQ(problems("listen: {http: node-b:1}\nsecurity: {insecure_http: true}").size(), 1U);
  EXPECT_TRUE(load("peers: [node-b:7600]\nsecurity: {insecure_plaintext: true}").ok()) << "dialled, not listened on";
}

TEST(Loader, RefusesToAdvertiseWhatNobodyCanDial) {
  const auto advertise = [](const std::string& address, const std::string& peer = "127.0.0.1:7600") {
    return problems("security: {insecure_plaintext: true}\nlisten: {peer: " + peer + ", advertise: \"" + address +
                    "\"}");
  };
  for (const char* const nothing : {"0.0.0.0:7600", "[::]:7600", "[::ffff:0.0.0.0]:7600", "10.0.0.7:0", "0.0.0.0:0"}) {
    const Problems found = advertise(nothing);
    ASSERT_EQ(found.size(), 1U) << nothing;
    EXPECT_NE(found[0].find("\"listen.advertise\": \"" + std::string(nothing) + "\" is nothing that another node"),
              std::string::npos)
        << found[0];
  }
  EXPECT_EQ(advertise("10.0.0.7:7601"), Problems{});
  EXPECT_EQ(advertise("[fd00::7]:7601"), Problems{});
  EXPECT_EQ(advertise("node-a:7601"), Problems{}) << "resolved by who dials";
  EXPECT_EQ(advertise("unix:/shared/peer.sock"), Problems{});
  const Problems useless = advertise("10.0.0.7:7601", "none");
  ASSERT_EQ(useless.size(), 1U);
  EXPECT_NE(useless[0].find("but this node takes none; set listen.peer too"), std::string::npos) << useless[0];
}

TEST(Loader, ChecksSettingsAgainstEachOther) {
  const auto complains = [](std::string_view text, std::string_view about) {
    const Problems found = problems(text);
    return found.size() == 1 && found[0].find(about) != std::string::npos;
  };
  EXPECT_TRUE(
      complains("listen: {app_socket: /a, admin_socket: /a}", "1:40: \"listen.admin_socket\": is the app socket too"));
  EXPECT_TRUE(
      complains("listen: {app_socket: /a, peer: unix:/a}", "\"listen.peer\": is the app's or the admin socket too"));
  EXPECT_TRUE(complains("security: {insecure_plaintext: true}\nlisten: {peer: localhost:1, http: localhost:1}",
                        "\"listen.http\": is the peers' address too"));
  EXPECT_TRUE(load("security: {insecure_plaintext: true}\nlisten: {peer: localhost:0, http: localhost:0}").ok());
  EXPECT_TRUE(complains("limits: {max_frame_bytes: 512MiB}", "would not fit into the queue (256MiB)"));
  EXPECT_TRUE(complains("limits: {memory: 128MiB}", "\"limits.memory\": the largest message (64MiB) would not fit"));
  EXPECT_TRUE(load("limits: {memory: 128MiB, max_frame_bytes: 32MiB}").ok());
  EXPECT_TRUE(complains("limits: {calls_per_node: 100, calls_per_app: 1}",
                        "\"limits.calls_per_node\": limits.calls_per_peer (65536) is more than"));
  EXPECT_TRUE(complains("timeouts: {peer: 1s}", "before a second ping (every 1s)"));
  EXPECT_TRUE(complains("timeouts: {app: 1s}", "\"timeouts.app\": an app would be gone (1s) before a second ping"));
  EXPECT_TRUE(complains("timeouts: {reconnect_initial: 20s}", "is longer than the longest (10s)"));
  EXPECT_TRUE(
      complains("security: {insecure_plaintext: true}\nlimits: {max_peers: 1}\npeers: [localhost:1, localhost:2]",
                "there are 2 peers"));
  // One mistake, one message: a setting that could not be read takes part in no further check.
  EXPECT_TRUE(complains("timeouts: {peer: 1s, ping_interval: soon}", "\"timeouts.ping_interval\": \"soon\""));
}

TEST(Loader, ExplainsWhatIsNotYaml) {
  EXPECT_EQ(problems("node:\n\tname: x\n"), Problems{"2:6: a tab indents this line; YAML wants spaces, replace it"});
  EXPECT_EQ(
      problems("node:\n  name: a: b\n"),
      Problems{"2:10: this is not YAML: illegal map value; check the indentation here and above, and quote text that "
               "holds \": \""});
  EXPECT_EQ(problems("node: {name: a}\n---\nnode: {}\n"),
            Problems{"2:1: a second document starts here; a settings file is one document, remove the \"---\""});
  EXPECT_EQ(problems("node: {name: a\x04}\n"), Problems{"1:15: an invisible control character stands here; remove it"});
  EXPECT_EQ(problems("node: {name: \xff}\n"), Problems{"1:14: this byte is not UTF-8; save the file as UTF-8"});
  EXPECT_EQ(problems("node: !!map {}\n"), Problems{"1:7: YAML tags are not supported; remove the \"!...\""});
  // What stands before the place where reading ended is still checked.
  EXPECT_EQ(problems("node:\n  nmae: x\n  name: \"abc"),
            (Problems{"2:3: unknown key \"nmae\" in \"node\"; did you mean \"name\"?",
                      "3:13: this is not YAML: illegal EOF in scalar"}));
}

TEST(Loader, RefusesAnchorsAndAliases) {
  const Problems found = problems("node: {tags: {a: &x 1, b: *x}}");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0], "1:18: anchors are not supported; write the value where it is needed");
  EXPECT_EQ(found[1], "1:27: aliases are not supported; write the value out");
}

TEST(Loader, BoundsDepthValuesAndSize) {
  EXPECT_EQ(problems(std::string(40, '[') + std::string(40, ']')),
            Problems{"1:33: nested deeper than 32 levels (kMaxSettingsDepth); no setting needs that"});
  EXPECT_EQ(problems(std::string(100'000, '[')).size(), 1U);
  std::string many = "node:\n  tags:\n";
  for (int i = 0; i < 20'000; ++i) many += "    t" + std::to_string(i) + ": x\n";
  ASSERT_EQ(problems(many).size(), 2U);
  EXPECT_NE(problems(many)[1].find("more than 20000 values (kMaxSettingsNodes)"), std::string::npos);
  const LoadResult large = load(std::string(kMaxSettingsBytes + 1, '#'));
  EXPECT_EQ(large.report(),
            "k.yaml: larger than 1048576 bytes (kMaxSettingsBytes); this is hardly a settings file, check its name\n");
}

TEST(Loader, ListsABoundedNumberOfProblems) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "key" + std::to_string(i) + ": x\n";
  const LoadResult result = load(text);
  ASSERT_EQ(result.problems.size(), kMaxProblems + 1);
  EXPECT_EQ(to_string(result.problems.back()), "k.yaml: 900 more problems are not listed; mend these first");
}

TEST(Loader, SaysWhyAFileCannotBeRead) {
  EXPECT_EQ(load_settings_file("/nonexistent/k.yaml", kHost).report(),
            "/nonexistent/k.yaml: cannot be read: No such file or directory; check the path and its permissions\n");
  EXPECT_EQ(load_settings_file("/proc", kHost).report(),
            "/proc: cannot be read: it is a folder; check the path and its permissions\n");
}

}  // namespace
}  // namespace kaido::daemon
