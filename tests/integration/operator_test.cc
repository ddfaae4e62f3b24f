/// kaidoctl against real nodes and apps: describing functions and calling them.
#include <signal.h>

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/integration/apps.h"
#include "tests/support/process.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cluster.h"
#include "tests/support/wait_until.h"

namespace kaido::test {
namespace {

/// How kaidoctl ended. A class of its own: out and err are what it wrote.
struct Ending {
  int code = -1;
  std::string out;
  std::string err;
};

/// Only b has a worker; a is asked.
class Operator : public ::testing::Test {
 protected:
  Operator() { EXPECT_TRUE(cluster.settle()); }

  Command command(const std::vector<std::string>& arguments) {
    Command command(built_program("daemon/kaidoctl/kaidoctl"));
    command.argument("--socket").argument(cluster["a"].admin_socket());
    for (const std::string& argument : arguments) command.argument(argument);
    return command;
  }
  Ending kaidoctl(const std::vector<std::string>& arguments) {
    const TempFolder output;
    const auto status = Process(command(arguments).output(output / "out").errors(output / "err")).wait();
    return {status ? status->code : -1, read_file(output / "out"), read_file(output / "err")};
  }

  TestCluster cluster{{NodeSpec("a"), NodeSpec("b")}};
  TempFolder folder;
  std::unique_ptr<App> worker = App::worker(cluster["b"]);
};

TEST_F(Operator, PrintsAFunctionOfAnotherNodeAsProto) {
  const Ending run = kaidoctl({"functions", "kaido::test::summarize"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(
      run.out.find("// kaido::test::summarize(string, repeated double, optional int64) -> {repeated string, double}\n"),
      0U)
      << run.out;
  EXPECT_NE(run.out.find("// offered by b (64 slots)\n"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("  string text = 1;\n  repeated double weights = 2;\n  optional int64 limit = 3;\n"),
            std::string::npos)
      << run.out;
  EXPECT_NE(run.out.find("repeated string words = 1;\n    double total_weight = 2;\n"), std::string::npos) << run.out;
  // The example can be pasted.
  const std::string example = "// example: kaidoctl call kaido::test::summarize '";
  const std::size_t begin = run.out.find(example);
  ASSERT_NE(begin, std::string::npos) << run.out;
  const std::string json = run.out.substr(begin + example.size(), run.out.find("'\n", begin) - begin - example.size());
  EXPECT_EQ(kaidoctl({"call", "kaido::test::summarize", json}).out, "{\"words\":[\"x\"],\"total_weight\":0}\n");
  // protoc takes what was printed, and what was written.
  const std::string file = folder.write("printed.proto", run.out);
  Command protoc("/usr/bin/protoc");
  protoc.argument("-I").argument(folder / "").argument("--descriptor_set_out=/dev/null").argument(file);
  EXPECT_EQ(Process(protoc).wait(), ExitStatus{});
}

TEST_F(Operator, CallsAFunctionOnAnotherNode) {
  const Ending text =
      kaidoctl({"call", "kaido::test::summarize", R"({"text": "a b c", "weights": [1, 0.5], "limit": "2"})"});
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find(R"(["a","b"])"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("1.5"), std::string::npos) << text.out;
  EXPECT_EQ(kaidoctl({"call", "kaido::test::where"}).out, "b\n");
  EXPECT_EQ(kaidoctl({"call", "kaido::test::where", "-o", "json"}).out, "{\"value\":\"b\"}\n");
  const std::string file = folder.write("arguments.json", R"({"a1": "from a file"})");
  EXPECT_EQ(kaidoctl({"call", "kaido::test::echo", "--file", file}).out, "from a file\n");
  EXPECT_EQ(cluster["b"].metric("kaido_execution_finished_total{outcome=\"succeeded\"}"), 4);
  EXPECT_EQ(cluster["a"].metric("kaido_admin_calls_total{outcome=\"succeeded\"}"), 4);
}

TEST_F(Operator, EachWayToFailHasItsExitCodeAndItsWords) {
  const Ending bad = kaidoctl({"call", "kaido::test::summarize", R"({"text": "a", "limt": 2})"});
  EXPECT_EQ(bad.code, 5);
  EXPECT_NE(bad.err.find("limt: there is no such field; there is text, weights, limit"), std::string::npos) << bad.err;
  EXPECT_EQ(kaidoctl({"call", "kaido::test::ecko", "{}"}).code, 4);
  const Ending thrown = kaidoctl({"call", "kaido::test::boom", R"({"a1": "kaputt"})"});
  EXPECT_EQ(thrown.code, 6);
  EXPECT_NE(thrown.err.find("panicked: kaputt (std::runtime_error), on b, attempt 1"), std::string::npos) << thrown.err;
  const Ending elsewhere = kaidoctl({"call", "kaido::test::where", "--node", "a"});
  EXPECT_EQ(elsewhere.code, 6);
  EXPECT_NE(elsewhere.err.find("  a: no app offers kaido::test::where\n  b: not the node named a\n"), std::string::npos)
      << elsewhere.err;
}

TEST_F(Operator, TimeOverOrOperatorGoneEndsTheCallAtTheWorker) {
  const std::string journal = folder / "journal";
  const std::string arguments = R"({"a1": ")" + journal + "\"}";
  const Ending late = kaidoctl({"call", "kaido::test::hold", arguments, "--timeout", "0.3"});
  EXPECT_EQ(late.code, 7) << late.err;
  EXPECT_TRUE(wait_until([&] { return count_ended(journal) == 1; }));
  Process impatient(command({"call", "kaido::test::hold", arguments}));
  ASSERT_TRUE(wait_started(journal, 2));
  EXPECT_NE(cluster["a"].ctl("tasks").find("\"app\": \"kaidoctl\""), std::string::npos) << cluster["a"].ctl("tasks");
  for (const char* node : {"a", "b"}) {  // where it was spawned, and where it runs
    EXPECT_NE(cluster[node].ctl("tasks").find("\"deadline_seconds\": "), std::string::npos)
        << cluster[node].ctl("tasks");
  }
  impatient.kill();
  EXPECT_TRUE(wait_until([&] { return count_ended(journal) == 2; }));
}

TEST_F(Operator, CallsAtOnceAreBoundedAndTheNodeStillAnswers) {
  const std::string journal = folder / "journal";
  const std::string arguments = R"({"a1": ")" + journal + "\"}";
  std::vector<std::unique_ptr<Process>> running;
  for (int i = 1; i <= 8; ++i) {
    running.push_back(std::make_unique<Process>(command({"call", "kaido::test::hold", arguments})));
    ASSERT_TRUE(wait_started(journal, i));
  }
  const Ending ninth = kaidoctl({"call", "kaido::test::where"});
  EXPECT_EQ(ninth.code, 1);
  EXPECT_NE(ninth.err.find("8 calls of operators run"), std::string::npos) << ninth.err;
  EXPECT_EQ(cluster["a"].metric("kaido_net_limit_hits_total{limit=\"operator_calls\"}"), 1);
  EXPECT_EQ(kaidoctl({"status"}).code, 0);
  running.clear();
  EXPECT_TRUE(wait_until([&] { return kaidoctl({"call", "kaido::test::where"}).code == 0; }));
}

TEST_F(Operator, AStoppingNodeAnswersItsOperators) {
  const std::string journal = folder / "journal";
  Process waiting(command({"call", "kaido::test::hold", R"({"a1": ")" + journal + "\"}"}).errors("/dev/null"));
  ASSERT_TRUE(wait_started(journal));
  cluster["a"].process().send(SIGTERM);
  cluster["a"].process().send(SIGTERM);  // do not wait for what runs
  const auto status = waiting.wait();
  ASSERT_TRUE(status);
  EXPECT_NE(status->code, 0);
  EXPECT_EQ(cluster["a"].process().wait(), ExitStatus{});
}

}  // namespace
}  // namespace kaido::test
