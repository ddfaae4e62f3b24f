#include "daemon/net/socket_file.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/net/listen_check.h"

namespace kaido::daemon {
namespace {

class SocketFileTest : public testing::Test {
 protected:
  SocketFileTest() {
    std::string folder = "/tmp/kaido-socket-XXXXXX";
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    path_ = folder_ + "/admin.sock";
  }
  ~SocketFileTest() override {
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }
  [[nodiscard]] bool exists() const { return ::access(path_.c_str(), F_OK) == 0; }

  std::string folder_;
  std::string path_;
};

TEST_F(SocketFileTest, HasItsModeWhateverTheUmaskAndGoesAwayWhenDone) {
  const auto umask_before = ::umask(0077);
  auto file = SocketFile::listen(path_, 0660, 16);
  ::umask(umask_before);
  ASSERT_TRUE(file.ok()) << file.status();
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  file->reset();
  EXPECT_FALSE(exists());
}

TEST_F(SocketFileTest, ReplacesAFileThatNobodyListensAt) {
  const auto first = SocketFile::listen(path_, 0600, 16);
  ASSERT_TRUE(first.ok());
  (*first)->release_descriptor().reset();  // as after a crash: the file stays
  const auto second = SocketFile::listen(path_, 0600, 16);
  EXPECT_TRUE(second.ok()) << second.status();
}

TEST_F(SocketFileTest, RefusesWhereAnotherListensAndLeavesThatOneAlone) {
  const auto first = SocketFile::listen(path_, 0600, 16);
  ASSERT_TRUE(first.ok());
  const auto second = SocketFile::listen(path_, 0600, 16);
  EXPECT_TRUE(absl::IsAlreadyExists(second.status())) << second.status();
  EXPECT_TRUE(exists());
}

TEST_F(SocketFileTest, DoesNotRemoveTheFileOfItsSuccessor) {
  auto first = SocketFile::listen(path_, 0600, 16);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(::rename(path_.c_str(), (path_ + ".old").c_str()), 0);  // keeps the inode, so that it is not reused
  const auto second = SocketFile::listen(path_, 0600, 16);
  ASSERT_TRUE(second.ok());
  first->reset();
  EXPECT_TRUE(exists());
  ::unlink((path_ + ".old").c_str());
}

TEST_F(SocketFileTest, RefusesWhatIsNoSocketNoFolderOrTooLong) {
  std::ofstream(path_) << "precious";
  EXPECT_TRUE(absl::IsInvalidArgument(SocketFile::listen(path_, 0600, 16).status()));
  EXPECT_TRUE(exists());
  EXPECT_TRUE(absl::IsNotFound(SocketFile::listen(folder_ + "/none/admin.sock", 0600, 16).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SocketFile::listen(std::string(108, 'x'), 0600, 16).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(SocketFile::listen("", 0600, 16).status()));
}

TEST_F(SocketFileTest, ManyDaemonsMayStartInOneFolderThatSomebodyElseHasLocked) {
  constexpr int kDaemons = 30;
  const Descriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(::flock(folder.get(), LOCK_EX), 0);
  std::vector<std::thread> daemons;
  std::atomic<int> listening = 0;
  for (int i = 0; i < kDaemons; ++i) {
    daemons.emplace_back([&, i] {
      const auto file = SocketFile::listen(folder_ + "/" + std::to_string(i), 0600, 16);
      EXPECT_TRUE(file.ok()) << file.status();
      listening += file.ok() ? 1 : 0;
    });
  }
  for (std::thread& daemon : daemons) daemon.join();
  EXPECT_EQ(listening, kDaemons);
  EXPECT_TRUE(std::filesystem::is_empty(folder_)) << "neither sockets nor locks are left";
}

TEST_F(SocketFileTest, OfManyThatFindOneStaleFileOneGetsIt) {
  constexpr int kDaemons = 30;
  const auto stale = SocketFile::listen(path_, 0600, 16);
  ASSERT_TRUE(stale.ok());
  (*stale)->release_descriptor().reset();
  std::vector<base::StatusOr<std::unique_ptr<SocketFile>>> files(kDaemons);
  std::vector<std::thread> daemons;
  for (auto& file : files) daemons.emplace_back([&] { file = SocketFile::listen(path_, 0600, 16); });
  for (std::thread& daemon : daemons) daemon.join();
  int listening = 0;
  for (const auto& file : files) {
    listening += file.ok() ? 1 : 0;
    EXPECT_TRUE(file.ok() || absl::IsAlreadyExists(file.status())) << file.status();
  }
  EXPECT_EQ(listening, 1);
}

TEST_F(SocketFileTest, CheckingAgreesWithListeningAndChangesNothing) {
  EXPECT_TRUE(check_socket_path(path_).ok());
  EXPECT_TRUE(check_socket_path(folder_ + "/new/admin.sock").ok()) << "the folder would be made";
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/new"));
  EXPECT_TRUE(absl::IsInvalidArgument(check_socket_path(folder_)));
  EXPECT_TRUE(absl::IsInvalidArgument(check_socket_path(std::string(108, 'x'))));
  std::ofstream(path_) << "precious";
  EXPECT_TRUE(absl::IsInvalidArgument(check_socket_path(path_)));
  EXPECT_TRUE(absl::IsNotFound(check_socket_path(path_ + "/admin.sock"))) << "a file is no folder";
}

TEST_F(SocketFileTest, AFolderThatIsMissingIsMade) {
  const std::string socket = folder_ + "/a/b/admin.sock";
  EXPECT_TRUE(make_socket_folder(socket).ok());
  EXPECT_TRUE(std::filesystem::is_directory(folder_ + "/a/b"));
  std::filesystem::remove_all(folder_ + "/a");
}

TEST(ListenCheck, ObjectsToWhatIsNotOfThisHostAndNotToWhatIsTaken) {
  EXPECT_TRUE(check_tcp_listen("127.0.0.1", 0).ok());
  EXPECT_TRUE(check_tcp_listen("localhost", 0).ok());
  EXPECT_TRUE(check_tcp_listen("0.0.0.0", 0).ok());
  // 192.0.2.0/24 is for documentation: no host has it.
  EXPECT_NE(check_tcp_listen("192.0.2.1", 7600).message().find("write an address of this host"), std::string::npos);
  EXPECT_FALSE(check_tcp_listen("node-b", 7600).ok());
  const Descriptor taken(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(taken.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(taken.get(), 1), 0);
  ASSERT_EQ(::getsockname(taken.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  EXPECT_TRUE(check_tcp_listen("127.0.0.1", ntohs(address.sin_port)).ok());
}

}  // namespace
}  // namespace kaido::daemon
