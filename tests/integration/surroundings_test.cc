/// What a daemon and kaidoctl are started in and with: nobody reads the log, standard streams are closed, a terminal
/// hangs up. None of it may end a node or hold it up.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <string>

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

}  // namespace
}  // namespace kaido::test
