/// What a daemon and kaidoctl are started in and with: nobody reads the log, standard streams are closed, a terminal
/// hangs up. None of it may end a node or hold it up.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/integration/apps.h"
#include "tests/integration/functions.h"
#include "tests/support/process.h"
#include "tests/support/raw_socket.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_cluster.h"
#include "tests/support/wait_until.h"

namespace kaido::test {
namespace {

/// A pipe with a name that is full, and that nobody reads until somebody asks to.
class FullPipe {
 public:
  explicit FullPipe(const std::string& path) {
    EXPECT_EQ(::mkfifo(path.c_str(), 0600), 0);
    descriptor_ = ::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    const std::string block(4096, '.');
    while (::write(descriptor_, block.data(), block.size()) > 0) {
    }
    while (::write(descriptor_, ".", 1) > 0) {
    }
  }
  ~FullPipe() { ::close(descriptor_); }
  FullPipe(const FullPipe&) = delete;
  FullPipe& operator=(const FullPipe&) = delete;

  /// What is there, without waiting for more.
  std::string read() {
    std::string text;
    std::array<char, 65536> buffer;
    for (ssize_t size = 0; (size = ::read(descriptor_, buffer.data(), buffer.size())) > 0;)
      text.append(buffer.data(), static_cast<std::size_t>(size));
    return text;
  }

 private:
  int descriptor_ = -1;
};

bool can_call(Client& client) {
  const auto echoed = client.call(client.remote<echo>().call("hello"));
  return echoed.ok() && *echoed == "hello";
}

TEST(StalledLog, CostsLinesAndNothingElse) {
  TestNode node(NodeSpec("a"));
  node.write_config({});
  FullPipe pipe(node.log_file());
  ASSERT_TRUE(node.start());
  const auto worker = App::worker(node);
  Client client(node);
  EXPECT_TRUE(can_call(client));
  EXPECT_TRUE(wait_until([&] {
    for (int i = 0; i < 500; ++i) (void)RawSocket::connect_unix(node.app_socket()).write("no frame at all");
    return node.metric("kaido_telemetry_log_lines_total{result=\"dropped\"}") > 0;
  }));
  EXPECT_TRUE(can_call(client));

  std::string text;
  const auto told = [&] {
    text += pipe.read();
    return text.find("lines are missing here") != std::string::npos;
  };
  EXPECT_TRUE(wait_until(told)) << text.substr(text.size() - std::min<std::size_t>(text.size(), 1000));
  node.process().send(SIGTERM);
  EXPECT_EQ(node.process().wait(), ExitStatus{});
}

TEST(StalledLog, DoesNotKeepADaemonFromEnding) {
  TestNode node(NodeSpec("a"));
  node.write_config({});
  const FullPipe pipe(node.log_file());
  ASSERT_TRUE(node.start());
  node.process().send(SIGTERM);
  EXPECT_EQ(node.process().wait(), ExitStatus{});
}

TEST(HangUp, UnderLoadEndsNothing) {
  TestCluster cluster({NodeSpec("a")});
  const TempFolder folder;
  const auto worker = App::worker(cluster["a"]);
  Client client(cluster["a"]);
  auto held = client.spawn(client.remote<await_release>().call(folder / "journal", folder / "release"));
  ASSERT_TRUE(wait_started(folder / "journal"));
  for (int i = 0; i < 100; ++i) {
    cluster["a"].process().send(SIGHUP);
    EXPECT_TRUE(can_call(client));
  }
  (void)folder.write("release", "");
  const auto released = client.wait(held);
  EXPECT_TRUE(released.ok() && *released == "a");
  EXPECT_TRUE(wait_until([&] { return cluster["a"].log().find("SIGHUP is ignored") != std::string::npos; }));
}

/// `program` with descriptors closed as the shell says: "<&- >&-".
Command with_closed(const std::string& which, const std::string& program) {
  Command command("/bin/sh");
  return command.argument("-c").argument("exec \"$0\" \"$@\" " + which).argument(program);
}

TEST(ClosedStreams, AreNotTakenForSockets) {
  TestNode node(NodeSpec("a"));
  node.write_config({});
  Process daemon(
      with_closed("<&- >&- 2>&-", built_program("daemon/kaidod")).argument("--config").argument(node.config_file()));
  ASSERT_TRUE(wait_until([&] { return node.is_ready(); }));
  const auto worker = App::worker(node);
  Client client(node);
  EXPECT_TRUE(can_call(client));
  for (int descriptor = 0; descriptor <= 2; ++descriptor) {
    const std::string link = "/proc/" + std::to_string(daemon.pid()) + "/fd/" + std::to_string(descriptor);
    EXPECT_EQ(std::filesystem::read_symlink(link), "/dev/null");
  }
  EXPECT_GT(node.metric("kaido_telemetry_log_lines_total{result=\"dropped\"}"), 0);
  daemon.send(SIGTERM);
  EXPECT_EQ(daemon.wait(), ExitStatus{});
}

TEST(ClosedStreams, OutputThatGoesNowhereIsAFailureOfKaidoctl) {
  TestCluster cluster({NodeSpec("a")});
  const std::string program = built_program("daemon/kaidoctl/kaidoctl");
  const std::string socket = cluster["a"].admin_socket();
  for (const char* where : {">&-", ">/dev/full", ">&- 2>&-"}) {
    EXPECT_EQ(Process(with_closed(where, program).argument("--socket").argument(socket).argument("status")).wait(),
              (ExitStatus{.code = 1}))
        << where;
    EXPECT_EQ(Process(with_closed(where, program).argument("--version")).wait(), (ExitStatus{.code = 1})) << where;
    EXPECT_EQ(Process(with_closed(where, built_program("daemon/kaidod")).argument("--version")).wait(),
              (ExitStatus{.code = 1}))
        << where;
  }
  EXPECT_TRUE(cluster["a"].is_ready());
}

TEST(StoppedDaemon, CostsKaidoctlItsTimeoutAndNoMore) {
  TestCluster cluster({NodeSpec("a")});
  cluster["a"].process().stop();
  // More than the queue of connections holds: the last ones wait for a place in it.
  for (int i = 0; i < 20; ++i) {
    Command command(built_program("daemon/kaidoctl/kaidoctl"));
    command.argument("--socket").argument(cluster["a"].admin_socket());
    command.argument("--timeout").argument("0.05").argument("status").errors("/dev/null");
    EXPECT_EQ(Process(command).wait(), (ExitStatus{.code = 3})) << "the " << i + 1 << "th";
  }
  cluster["a"].process().cont();
}

TEST(Draining, SaysSinceWhenAndWhy) {
  TestCluster cluster({NodeSpec("a")});
  const TempFolder folder;
  const auto worker = App::worker(cluster["a"]);
  Client client(cluster["a"]);
  auto held = client.spawn(client.remote<await_release>().call(folder / "journal", folder / "release"));
  ASSERT_TRUE(wait_started(folder / "journal"));
  cluster["a"].process().send(SIGTERM);
  EXPECT_TRUE(wait_until([&] { return cluster["a"].ctl("status").find("draining") != std::string::npos; }));
  const std::string status = cluster["a"].ctl("status");
  EXPECT_NE(status.find("\"reason\": \"since 20"), std::string::npos) << status;
  EXPECT_NE(status.find("Z because of SIGTERM\""), std::string::npos) << status;
  (void)folder.write("release", "");
  EXPECT_TRUE(client.wait(held).ok());
}

/// The reason that `--check` gives, and whether starting gives it too, with the same code.
std::string refusal(const TestNode& node) {
  const TempFolder output;
  std::string reasons[2];
  for (const bool is_check : {true, false}) {
    Command command(built_program("daemon/kaidod"));
    command.argument("--config").argument(node.config_file()).errors(output / (is_check ? "check" : "start"));
    if (is_check) command.argument("--check");
    EXPECT_EQ(Process(command).wait(), (ExitStatus{.code = 78}));
    reasons[is_check] = read_file(output / (is_check ? "check" : "start"));
  }
  const std::string prefix = node.config_file() + ": ";
  EXPECT_TRUE(reasons[1].starts_with(prefix)) << reasons[1];
  const std::string reason = reasons[1].substr(prefix.size(), reasons[1].find('\n') - prefix.size());
  EXPECT_NE(reasons[0].find(reason), std::string::npos) << reasons[0] << "\ninstead of\n" << reason;
  return reason;
}

class Refusal : public ::testing::Test {
 protected:
  Refusal() { node.write_config({}); }
  /// The configuration with `text` in the place of another.
  void change(const std::string& from, const std::string& to) {
    std::string config = read_file(node.config_file());
    const auto at = config.find(from);
    ASSERT_NE(at, std::string::npos) << config;
    std::ofstream(node.config_file()) << config.replace(at, from.size(), to);
  }
  TestNode node{NodeSpec("a")};
  TempFolder folder;
};

TEST_F(Refusal, OfAStateFolderThatOthersMayWriteLeavesItAlone) {
  change("state_dir: ", "state_dir: " + folder / "shared" + "\n#");
  ASSERT_EQ(::mkdir((folder / "shared").c_str(), 0700), 0);
  ASSERT_EQ(::chmod((folder / "shared").c_str(), 01777), 0);
  EXPECT_NE(refusal(node).find("/shared can be written by others (mode 1777)"), std::string::npos) << refusal(node);
  struct stat found{};
  ASSERT_EQ(::stat((folder / "shared").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & mode_t{07777}, mode_t{01777});
}

TEST_F(Refusal, OfAnIdentityThatIsAFolder) {
  change("state_dir: ", "state_dir: " + folder / "state" + "\n#");
  ASSERT_EQ(::mkdir((folder / "state").c_str(), 0700), 0);
  ASSERT_EQ(::mkdir((folder / "state/identity").c_str(), 0700), 0);
  EXPECT_NE(refusal(node).find("/state/identity is a folder"), std::string::npos) << refusal(node);
}

TEST_F(Refusal, OfAnAddressThatIsNotOfThisHost) {
  change("peer: 127.0.0.1:", "peer: 192.0.2.1:");
  EXPECT_NE(refusal(node).find("listen.peer: cannot listen on tcp:192.0.2.1:"), std::string::npos) << refusal(node);
}

TEST_F(Refusal, OfAFileWhereASocketIsToBe) {
  std::ofstream(node.admin_socket()) << "precious";
  EXPECT_NE(refusal(node).find("a file that is no socket is there"), std::string::npos) << refusal(node);
  EXPECT_EQ(read_file(node.admin_socket()), "precious");
}

TEST(ManyStarts, InOneFolderAtOnceAllSucceed) {
  constexpr int kDaemons = 30;
  const TempFolder folder;
  std::vector<std::unique_ptr<Process>> daemons;
  for (int i = 0; i < kDaemons; ++i) {
    const std::string name = "d" + std::to_string(i);
    const std::string file = folder.write(name + ".yaml", "node: {name: " + name + ", state_dir: " + folder / name +
                                                              "}\nlisten: {app_socket: " + folder / (name + ".sock") +
                                                              ", admin_socket: " + folder / (name + ".admin") + "}\n");
    Command command(built_program("daemon/kaidod"));
    daemons.push_back(std::make_unique<Process>(command.argument("--config").argument(file).errors(folder / "errors")));
  }
  EXPECT_TRUE(wait_until([&] {
    int listening = 0;
    for (int i = 0; i < kDaemons; ++i) {
      listening += RawSocket::connect_unix(folder / ("d" + std::to_string(i) + ".admin")).is_connected() ? 1 : 0;
    }
    return listening == kDaemons;
  })) << read_file(folder / "errors");
  for (auto& daemon : daemons) daemon->send(SIGTERM);
  for (auto& daemon : daemons) EXPECT_EQ(daemon->wait(), ExitStatus{});
}

}  // namespace
}  // namespace kaido::test
