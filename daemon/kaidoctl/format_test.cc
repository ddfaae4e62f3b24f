#include "daemon/kaidoctl/format.h"

#include <cerrno>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "daemon/kaidoctl/table.h"

#include "daemon/kaidoctl/enum_words.h"

namespace kaido::daemon {
namespace {

constexpr Style kPlain{};
constexpr Style kColoured{.coloured = true};

TEST(Table, AlignsColumnsAndEndsLinesWithoutSpaces) {
  Table table({"NAME", "N"});
  table.add({{"alpha"}, {"1"}});
  table.add({{"b"}, {""}});
  EXPECT_EQ(table.render(kPlain),
            "NAME   N\n"
            "alpha  1\n"
            "b      -\n");
}

TEST(Table, CountsCharactersNotBytesAndIgnoresColourCodes) {
  Table table({"A", "B"});
  table.add({{"größe", Colour::kRed}, {"1"}});
  table.add({{"x"}, {"2"}});
  EXPECT_EQ(table.render(kColoured),
            "\x1b[1mA\x1b[0m      \x1b[1mB\x1b[0m\n"
            "\x1b[31mgröße\x1b[0m  1\n"
            "x      2\n");
}

TEST(Table, ShowsControlCharactersInsteadOfObeyingThem) {
  Table table({"NAME", "N"});
  table.add({{"evil\x1b[2J\n"}, {"1"}});
  EXPECT_EQ(table.render(kPlain),
            "NAME             N\n"
            "evil\\x1b[2J\\x0a  1\n");
}

TEST(Words, ForDurations) {
  EXPECT_EQ(format_seconds(0), "0s");
  EXPECT_EQ(format_seconds(5e-7), "500ns");
  EXPECT_EQ(format_seconds(12.34e-6), "12.3µs");
  EXPECT_EQ(format_seconds(123.4e-6), "123µs");
  EXPECT_EQ(format_seconds(0.00125), "1.2ms");
  EXPECT_EQ(format_seconds(0.25), "250ms");
  EXPECT_EQ(format_seconds(45.12), "45.1s");
  EXPECT_EQ(format_seconds(725), "12m05s");
  EXPECT_EQ(format_seconds(11045), "3h04m");
  EXPECT_EQ(format_seconds(183600), "2d03h");
  EXPECT_EQ(format_seconds(-1), "?");
  EXPECT_EQ(format_seconds(std::numeric_limits<double>::quiet_NaN()), "?");
  EXPECT_EQ(format_seconds(std::numeric_limits<double>::infinity()), "ages");
}

TEST(Words, ForSizesAndNumbers) {
  EXPECT_EQ(format_kib(512), "512KiB");
  EXPECT_EQ(format_kib(12595), "12.3MiB");
  EXPECT_EQ(format_kib(1572864), "1.5GiB");
  EXPECT_EQ(format_number(3000000), "3000000");
  EXPECT_EQ(format_number(0.125), "0.125");
}

v1::StatusResponse example_status() {
  v1::StatusResponse status;
  status.set_node_id("00ff");
  status.set_node_name("alpha");
  status.set_epoch(3);
  status.set_version("0.1.0");
  status.set_uptime_seconds(725);
  status.set_state(v1::NODE_STATE_DRAINING);
  status.set_reason("since 2026-11-23T08:31:59Z because of SIGTERM");
  status.set_resident_kib(12595);
  status.set_nodes_alive(2);
  status.set_nodes_known(3);
  status.set_pid(42);
  status.mutable_load()->set_slots(8);
  (*status.mutable_counters())["b_total"] = 2;
  (*status.mutable_counters())["a_total"] = 1000000;
  return status;
}

TEST(FormatStatus, SaysWhatTheNodeIsAndDoes) {
  EXPECT_EQ(format_status(example_status(), kPlain),
            "node       alpha (00ff)\n"
            "state      draining since 2026-11-23T08:31:59Z because of SIGTERM\n"
            "version    0.1.0\n"
            "pid        42\n"
            "epoch      3\n"
            "uptime     12m05s\n"
            "memory     12.3MiB\n"
            "load       0 running, 0 queued, 8 slots\n"
            "nodes      2 alive of 3 known\n"
            "apps       0\n"
            "functions  0\n"
            "tasks      0 pending\n"
            "\n"
            "COUNTER  VALUE\n"
            "a_total  1000000\n"
            "b_total  2\n");
}

TEST(FormatNodes, TellsSelfSeenAndNeverSeenApart) {
  v1::ListNodesResponse nodes;
  auto& self = *nodes.add_nodes();
  self.set_name("alpha");
  self.set_state(v1::NODE_STATE_ALIVE);
  self.set_is_self(true);
  self.set_load(1);
  self.set_slots(4);
  auto& seen = *nodes.add_nodes();
  seen.set_name("beta");
  seen.set_state(v1::NODE_STATE_LOST);
  seen.set_address("10.0.0.2:7400");
  seen.set_last_seen_seconds(9);
  seen.set_rtt_seconds(0.0005);
  (*seen.mutable_tags())["zone"] = "eu-1";
  (*seen.mutable_tags())["gpu"] = "a100";
  auto& taint = *seen.add_taints();
  taint.set_key("dedicated");
  taint.set_value("ml");
  taint.set_effect("NoSchedule");
  nodes.add_nodes()->set_name("gamma");
  EXPECT_EQ(format_nodes(nodes, kPlain),
            "NAME   STATE    ADDRESS        LOAD  IN-FLIGHT  FUNCTIONS  SEEN      RTT    TAGS                TAINTS\n"
            "alpha  alive    -              1/4   0          0          self      -      -                   -\n"
            "beta   lost     10.0.0.2:7400  0/0   0          0          9.0s ago  500µs  gpu=a100,zone=eu-1  "
            "dedicated=ml:NoSchedule\n"
            "gamma  unknown  -              0/0   0          0          -         -      -                   -\n");
}

TEST(FormatNodes, EndsWithWhatSomebodyShouldMend) {
  v1::ListNodesResponse nodes;
  nodes.add_nodes()->set_name("a");
  const std::string table = format_nodes(nodes, kPlain);
  nodes.add_warnings("two nodes have the id 01");
  nodes.add_warnings("two nodes are named \x1b[2J");
  EXPECT_EQ(format_nodes(nodes, kPlain),
            table + "warning: two nodes have the id 01\nwarning: two nodes are named \\x1b[2J\n");
}

TEST(FormatFunctions, NamesWhoOffersThem) {
  v1::ListFunctionsResponse functions;
  EXPECT_NE(format_functions(functions, kPlain).find("no function is offered"), std::string::npos);
  auto& function = *functions.add_functions();
  function.set_name("count_words");
  function.set_id("01");
  function.set_signature("(string) -> int64");
  function.set_fingerprint("02");
  function.set_slots(6);
  for (const auto* node : {"alpha", "beta"}) {
    auto& offer = *function.add_offers();
    offer.set_node(node);
    offer.set_slots(3);
  }
  EXPECT_EQ(format_functions(functions, kPlain),
            "NAME         SIGNATURE          ID  FINGERPRINT  SLOTS  NODES\n"
            "count_words  (string) -> int64  01  02           6      alpha(3),beta(3)\n");
  functions.mutable_functions(0)->set_versions(2);
  EXPECT_NE(format_functions(functions, kPlain).find("count_words  2 versions  01  -            6"), std::string::npos)
      << format_functions(functions, kPlain);
}

TEST(FormatTasks, SaysWhenThereAreMore) {
  v1::ListTasksResponse tasks;
  EXPECT_EQ(format_tasks(tasks, kPlain), "no tasks\n");
  auto& task = *tasks.add_tasks();
  task.set_task_id("aaaa-1-5");
  task.set_function("count_words");
  task.set_state(v1::TASK_STATE_WAITING);
  task.set_attempt(2);
  task.set_age_seconds(1.5);
  task.set_deadline_seconds(3);
  task.set_origin("alpha");
  tasks.set_truncated(true);
  tasks.set_total(700);
  EXPECT_EQ(format_tasks(tasks, kPlain),
            "TASK      FUNCTION     STATE    NODE  ATTEMPT  AGE   DEADLINE  ORIGIN  APP\n"
            "aaaa-1-5  count_words  waiting  -     2        1.5s  in 3.0s   alpha   -\n"
            "only the oldest 1 of 700 tasks are shown; see --limit\n");
}

TEST(FormatPings, ShowsTimesAndReasons) {
  const std::vector<PingOutcome> pings = {{.node = "alpha", .rtt_seconds = 0.0005},
                                          {.node = "beta", .error = "beta is not connected"}};
  EXPECT_EQ(format_pings(pings, kPlain),
            "NODE   ADDRESS  RTT    RESULT\n"
            "alpha  -        500µs  ok\n"
            "beta   -        -      beta is not connected\n");
  const auto json = pings_to_json(pings);
  ASSERT_TRUE(json.ok());
  EXPECT_NE(json->find("\"rtt_seconds\": 0.0005"), std::string::npos) << *json;
  EXPECT_NE(json->find("\"error\": \"beta is not connected\""), std::string::npos) << *json;
}

TEST(ToJson, KeepsFieldNamesAndShowsZeroes) {
  const auto json = to_json(example_status());
  ASSERT_TRUE(json.ok());
  for (const auto* part : {"\"node_name\": \"alpha\"", "\"state\": \"draining\"", "\"apps\": 0", "\"a_total\": 1000000",
                           "\"epoch\": \"3\"", "\"uptime_seconds\": 725"}) {
    EXPECT_NE(json->find(part), std::string::npos) << part << " in " << *json;
  }
  EXPECT_TRUE(json->ends_with("}\n"));
}

TEST(ToJson, SaysStatesAsWords) {
  v1::ListNodesResponse nodes;
  v1::NodeSummary& node = *nodes.add_nodes();
  node.set_state(v1::NODE_STATE_LOST);
  (*node.mutable_tags())["text"] = "NODE_STATE_LOST";
  EXPECT_NE(to_json(nodes)->find("\"state\": \"lost\""), std::string::npos) << *to_json(nodes);
  EXPECT_NE(to_json(nodes)->find("\"text\": \"NODE_STATE_LOST\""), std::string::npos) << "only states are renamed";
  v1::ListTasksResponse tasks;
  tasks.add_tasks()->set_state(v1::TASK_STATE_CANCELLING);
  tasks.add_tasks();
  EXPECT_NE(to_json(tasks)->find("\"state\": \"cancelling\""), std::string::npos) << *to_json(tasks);
  EXPECT_NE(to_json(tasks)->find("\"state\": \"unknown\""), std::string::npos) << *to_json(tasks);
  EXPECT_EQ(enum_word("NodeState", "NODE_STATE_LOST"), "lost");
  EXPECT_EQ(enum_word("NodeState", "OTHER_VALUE"), "other_value");
}

TEST(FormatFailure, SaysNothingTwice) {
  v1::CallResponse response;
  response.set_outcome("signature_mismatch");
  response.set_message("signature mismatch of f: the caller has f(int), the node offers f(string); a1 differs");
  auto& first = *response.add_reasons();
  first.set_node("a");
  first.set_reason(response.message());
  auto& second = *response.add_reasons();
  second.set_node("b");
  second.set_reason("signature mismatch of f: the caller has f(int), the node offers f(bool); a1 differs");
  auto& third = *response.add_reasons();
  third.set_node("c");
  third.set_reason("lost");
  EXPECT_EQ(format_failure("f", response),
            "f: signature mismatch: the caller has f(int), the node offers f(string); a1 differs\n"
            "  a: the same\n"
            "  b: the caller has f(int), the node offers f(bool); a1 differs\n"
            "  c: lost");
}

TEST(Explain, SaysWhatToDo) {
  EXPECT_NE(explain_unreachable("/a.sock", EAGAIN).find("did not answer in time"), std::string::npos);
  EXPECT_NE(explain_unreachable("/a.sock", ENOTSOCK).find("/a.sock is no socket"), std::string::npos);
  EXPECT_NE(explain_unreachable("/a.sock", ENOENT).find("is kaidod running?"), std::string::npos);
  EXPECT_NE(explain_unreachable("/a.sock", ECONNREFUSED).find("left over"), std::string::npos);
  EXPECT_NE(explain_unreachable("/a.sock", EACCES).find("sudo"), std::string::npos);
  EXPECT_NE(explain_unreachable("/a.sock", EINVAL).find("/a.sock: Invalid argument"), std::string::npos);
  EXPECT_NE(explain_refused("/a.sock", "Socket closed").find("root"), std::string::npos);
}

}  // namespace
}  // namespace kaido::daemon
