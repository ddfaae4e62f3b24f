/// The program itself, against a server with a made-up node: what it prints where, and what it ends with.
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include "daemon/admin/admin_fixture.h"
#include "daemon/admin/admin_server.h"
#include "daemon/core/schema/schema_text.h"
#include "proto/kaido/v1/admin.pb.h"

namespace kaido::daemon {

std::string program;  // where kaidoctl is; set by main()

namespace {

struct Ending {
  int code = -1;
  std::string out;
  std::string err;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Ending kaidoctl(const std::vector<std::string>& arguments) {
  const std::string folder = testing::TempDir();
  const auto out = folder + "/out";
  const auto err = folder + "/err";
  std::string command = "'" + program + "'";
  for (const auto& argument : arguments) {
    command += " '" + argument + "'";
  }
  const int result = std::system((command + " >'" + out + "' 2>'" + err + "' </dev/null").c_str());
  return {WIFEXITED(result) ? WEXITSTATUS(result) : -1, read_file(out), read_file(err)};
}

template <class Message>
Message from_json(const std::string& json) {
  Message message;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // states are words
  const auto status = google::protobuf::util::JsonStringToMessage(json, &message, options);
  EXPECT_TRUE(status.ok()) << status.ToString() << " in " << json;
  return message;
}

class KaidoctlTest : public testing::Test {
 protected:
  Ending ask(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--socket", fixture_.socket_path()});
    return kaidoctl(arguments);
  }
  AdminFixture fixture_{AdminServerOptions{.call_timeout = std::chrono::milliseconds(200)}};
};

TEST_F(KaidoctlTest, PrintsTextWithoutColoursIntoAFile) {
  const auto status = ask({"status"});
  EXPECT_EQ(status.code, 0) << status.err;
  EXPECT_NE(status.out.find("node       alpha"), std::string::npos) << status.out;
  const auto nodes = ask({"nodes"});
  EXPECT_NE(nodes.out.find("beta   lost   127.0.0.1:7401"), std::string::npos) << nodes.out;
  EXPECT_NE(ask({"functions"}).out.find("count_words"), std::string::npos);
  EXPECT_NE(ask({"tasks", "--limit", "2"}).out.find("oldest 2 of 5"), std::string::npos);
  for (const auto& run : {status, nodes}) {
    EXPECT_EQ(run.out.find('\x1b'), std::string::npos);
    EXPECT_EQ(run.err, "");
  }
}

TEST_F(KaidoctlTest, PrintsTheAnswersThemselvesAsJson) {
  EXPECT_EQ(from_json<v1::StatusResponse>(ask({"status", "-o", "json"}).out).epoch(), 7u);
  EXPECT_EQ(from_json<v1::ListNodesResponse>(ask({"nodes", "-o", "json"}).out).nodes(1).tags().at("zone"), "eu-1");
  EXPECT_EQ(from_json<v1::ListFunctionsResponse>(ask({"functions", "-o", "json"}).out).functions(0).slots(), 2u);
  EXPECT_NE(ask({"nodes", "-o", "json"}).out.find("\"state\": \"lost\""), std::string::npos);
  EXPECT_EQ(from_json<v1::ListTasksResponse>(ask({"tasks", "-o", "json"}).out).tasks_size(), 5);
}

TEST_F(KaidoctlTest, PingsOneNode) {
  const auto good = ask({"ping", "alpha"});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_NE(good.out.find("125µs"), std::string::npos) << good.out;
  const auto lost = ask({"ping", "beta"});
  EXPECT_EQ(lost.code, 1);
  EXPECT_NE(lost.out.find("beta is not connected"), std::string::npos) << lost.out;
  const auto silent = ask({"ping", "silent"});
  EXPECT_EQ(silent.code, 1);
  EXPECT_NE(silent.out.find("did not answer in time"), std::string::npos) << silent.out;
  const auto mistyped = ask({"ping", "bta"});
  EXPECT_EQ(mistyped.code, 1);
  EXPECT_NE(mistyped.err.find("did you mean 'beta'?"), std::string::npos) << mistyped.err;
}

TEST_F(KaidoctlTest, PingsEveryNodeAndFailsIfOneFails) {
  const auto run = ask({"ping", "-o", "json"});
  EXPECT_EQ(run.code, 1);
  const auto document = from_json<google::protobuf::Struct>(run.out);
  const auto& pings = document.fields().at("pings").list_value();
  ASSERT_EQ(pings.values_size(), 2);
  EXPECT_EQ(pings.values(0).struct_value().fields().at("rtt_seconds").number_value(), 0.000125);
  EXPECT_EQ(pings.values(1).struct_value().fields().at("error").string_value(), "beta is not connected");
}

/// A worker on the made-up node that takes a text, an optional limit and a message of another file.
class KaidoctlFunctionTest : public KaidoctlTest {
 protected:
  KaidoctlFunctionTest() {
    const Schema schema = schema_from_text(
        "message Arguments { string text = 1; optional int32 limit = 2; optional geo.Point at = 3; }"
        "message Result { int64 value = 1; }",
        {{"geo/point.proto", "syntax = \"proto3\"; package geo; message Point { double x = 1; }"}});
    fixture_.on_loop([&] {
      fixture_.queries.schema = std::string(schema.bytes());
      fixture_.queries.result = std::string("\x08\x07", 2);  // value: 7
    });
  }
};

TEST_F(KaidoctlFunctionTest, PrintsAFunctionAsAProtoFile) {
  const auto run = ask({"functions", "count_words"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_NE(run.out.find("// count_words(string, optional int32) -> int64\n"), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("// id 0000000000000007, fingerprint 00000000000000ff\n// offered by beta (2 slots)\n"),
            std::string::npos)
      << run.out;
  EXPECT_NE(run.out.find("  optional int32 limit = 2;\n"), std::string::npos) << run.out;
  const auto json = from_json<v1::DescribeFunctionResponse>(ask({"functions", "count_words", "-o", "json"}).out);
  EXPECT_EQ(json.versions(0).offers(0).node(), "beta");
  const auto without = ask({"functions", "old"});
  EXPECT_EQ(without.code, 0);
  EXPECT_NE(without.out.find("no schema"), std::string::npos) << without.out;
}

TEST_F(KaidoctlFunctionTest, WritesFilesThatProtocAccepts) {
  const std::string folder = testing::TempDir() + "/protos";
  const auto run = ask({"functions", "count_words", "--proto-dir", folder});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.out, folder + "/geo/point.proto\n" + folder + "/count_words.proto\n");
  const auto compiled = "protoc -I '" + folder + "' --descriptor_set_out=/dev/null '" + folder + "/count_words.proto'";
  EXPECT_EQ(std::system(compiled.c_str()), 0);
  fixture_.on_loop([&] {
    fixture_.queries.schema = std::string(
        schema_from_text("message Arguments {} message Result {}", {{"../escape.proto", "syntax = \"proto3\";"}})
            .bytes());
  });
  const auto outside = ask({"functions", "count_words", "--proto-dir", folder});
  EXPECT_EQ(outside.code, 1);
  EXPECT_NE(outside.err.find("outside of the folder: ../escape.proto"), std::string::npos) << outside.err;
}

TEST_F(KaidoctlFunctionTest, CallsAFunctionWithJson) {
  const auto text =
      ask({"call", "count_words", R"({"text": "a b"})", "--node", "beta", "--tag", "zone=eu", "--timeout", "2"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_EQ(text.out, "7\n");
  const v1::CallRequest request = fixture_.on_loop([&] { return fixture_.queries.last_call; });
  EXPECT_EQ(request.arguments(), std::string("\x0a\x03"
                                             "a b"));
  EXPECT_EQ(request.version().fingerprint(), "00000000000000ff");
  EXPECT_EQ(request.node(), "beta");
  EXPECT_EQ(request.tags().at("zone"), "eu");
  EXPECT_EQ(request.timeout_seconds(), 2);
  const auto json = ask({"call", "count_words", R"({"text": "a b", "limit": 1, "at": {"x": 2}})", "-o", "json"});
  EXPECT_EQ(json.out, "{\"value\":\"7\"}\n");
}

TEST_F(KaidoctlFunctionTest, ReadsArgumentsFromAFileOrStandardInput) {
  const std::string path = testing::TempDir() + "/arguments.json";
  std::ofstream(path) << R"({"text": "from a file"})";
  EXPECT_EQ(ask({"call", "count_words", "--file", path}).code, 0);
  EXPECT_EQ(fixture_.on_loop([&] { return fixture_.queries.last_call.arguments().substr(2); }), "from a file");
  const std::string piped =
      "'" + program + "' call count_words - --socket '" + fixture_.socket_path() + "' <'" + path + "' >/dev/null";
  EXPECT_EQ(std::system(piped.c_str()), 0);
  EXPECT_EQ(ask({"call", "count_words", "--file", "/nonexistent"}).code, 5);
  EXPECT_EQ(ask({"call", "count_words", "{}", "--file", path}).code, 2);
}

TEST_F(KaidoctlFunctionTest, EveryEndOfACallHasItsExitCode) {
  const auto unknown = ask({"call", "count_wrds", "{}"});
  EXPECT_EQ(unknown.code, 4);
  EXPECT_NE(unknown.err.find("did you mean 'count_words'?"), std::string::npos) << unknown.err;
  EXPECT_EQ(ask({"call", "count_words", "{}", "--fingerprint", "01"}).code, 4);
  EXPECT_EQ(ask({"functions", "nobody"}).code, 4);
  const auto bad = ask({"call", "count_words", R"({"txt": "x"})"});
  EXPECT_EQ(bad.code, 5);
  EXPECT_NE(bad.err.find("txt: there is no such field; there is text, limit, at"), std::string::npos) << bad.err;
  EXPECT_EQ(ask({"call", "count_words"}).code, 5) << "a text is needed";
  const auto thrown = ask({"call", "explode", R"({"text": ""})"});
  EXPECT_EQ(thrown.code, 6);
  EXPECT_NE(thrown.err.find("explode: panicked: it burst (std::runtime_error), on beta, attempt 1"), std::string::npos)
      << thrown.err;
  const auto json = ask({"call", "explode", R"({"text": ""})", "-o", "json"});
  EXPECT_EQ(json.code, 6);
  EXPECT_EQ(from_json<v1::CallResponse>(json.out).exception_type(), "std::runtime_error");
  EXPECT_EQ(ask({"call", "old", "{}"}).code, 1) << "it states no schema";
  EXPECT_EQ(ask({"call"}).code, 2);
  EXPECT_EQ(ask({"call", "count_words", "{}", "--tag", "novalue"}).code, 2);
}

TEST_F(KaidoctlTest, SaysSoWhenTheOutputCannotBeWritten) {
  const auto result = std::system(
      ("'" + program + "' status --socket '" + fixture_.socket_path() + "' >/dev/full 2>/dev/null").c_str());
  EXPECT_EQ(WEXITSTATUS(result), 1);
}

TEST(Kaidoctl, EndsWithThreeWhereNoDaemonAnswers) {
  const auto run = kaidoctl({"status", "--socket", "/nonexistent/admin.sock"});
  EXPECT_EQ(run.code, 3);
  EXPECT_EQ(run.out, "");
  EXPECT_NE(run.err.find("no daemon listens at /nonexistent/admin.sock"), std::string::npos) << run.err;
  const auto long_path = kaidoctl({"status", "--socket", "/" + std::string(200, 'x')});
  EXPECT_EQ(long_path.code, 3);
}

TEST(Kaidoctl, EndsWithThreeWhereTheDaemonClosesTheConnection) {
  AdminFixture fixture(AdminServerOptions{.connections_max = 0});
  const auto run = kaidoctl({"nodes", "--socket", fixture.socket_path()});
  EXPECT_EQ(run.code, 3);
  EXPECT_NE(run.err.find("closed the connection"), std::string::npos) << run.err;
}

TEST(Kaidoctl, EndsWithThreeWhereTheDaemonHangs) {
  AdminFixture fixture;
  std::promise<void> go_on;
  std::thread hang([&] { fixture.on_loop([&] { go_on.get_future().wait(); }); });
  const auto run = kaidoctl({"status", "--timeout", "0.2", "--socket", fixture.socket_path()});
  go_on.set_value();
  hang.join();
  EXPECT_EQ(run.code, 3);
  EXPECT_NE(run.err.find("did not answer in time"), std::string::npos) << run.err;
}

TEST(Kaidoctl, WaitsNoLongerForAConnectionThanItWasTold) {
  // A listener that takes nothing, as a stopped daemon is: some connections queue, the others wait.
  const std::string path = "/tmp/kaidoctl-test-" + std::to_string(::getpid()) + ".sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  for (int i = 0; i < 4; ++i) {
    const auto run = kaidoctl({"status", "--timeout", "0.05", "--socket", path});
    EXPECT_EQ(run.code, 3);
    EXPECT_NE(run.err.find("did not answer in time"), std::string::npos) << run.err;
  }
  ::close(listener);
  ::unlink(path.c_str());
}

TEST(Kaidoctl, SaysThatAFileIsNoSocket) {
  const auto run = kaidoctl({"status", "--socket", program});
  EXPECT_EQ(run.code, 3);
  EXPECT_NE(run.err.find(program + " is no socket"), std::string::npos) << run.err;
}

TEST(Kaidoctl, EndsWithTwoForMistakesAndZeroForHelp) {
  const auto mistake = kaidoctl({"nods"});
  EXPECT_EQ(mistake.code, 2);
  EXPECT_EQ(mistake.out, "");
  EXPECT_NE(mistake.err.find("did you mean 'nodes'?"), std::string::npos) << mistake.err;
  const auto help = kaidoctl({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_EQ(help.err, "");
  EXPECT_NE(help.out.find("Examples:"), std::string::npos);
}

}  // namespace
}  // namespace kaido::daemon

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: kaidoctl_test PATH-OF-KAIDOCTL\n");
    return 2;
  }
  kaido::daemon::program = argv[1];
  return RUN_ALL_TESTS();
}
