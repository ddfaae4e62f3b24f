#include "daemon/runtime/file_lock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace kaido::daemon {
namespace {

using std::chrono::milliseconds;

constexpr base::Duration kPatience = std::chrono::minutes(1);

class FileLockTest : public testing::Test {
 protected:
  FileLockTest() {
    std::string folder = testing::TempDir() + "kaido-lock-XXXXXX";
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    path_ = folder + "/lock";
  }
  ~FileLockTest() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
  std::string path_;
};

TEST(FindLockHolder, ReadsTheKernelsTable) {
  const std::string table =
      "1: POSIX  ADVISORY  WRITE 11 fd:01:77 0 EOF\n"
      "2: FLOCK  ADVISORY  WRITE 22 fd:01:78 0 EOF\n"
      "3: FLOCK  ADVISORY  WRITE 33 fd:01:77 0 EOF\n"
      "3: -> FLOCK  ADVISORY  WRITE 44 fd:01:79 0 EOF\n"
      "4: FLOCK  ADVISORY  WRITE 0 fd:01:80 0 EOF\n"
      "nonsense\n";
  EXPECT_EQ(find_lock_holder(table, makedev(0xfd, 1), 77), 33);
  EXPECT_EQ(find_lock_holder(table, makedev(0xfd, 2), 77), std::nullopt);
  EXPECT_EQ(find_lock_holder(table, makedev(0xfd, 1), 79), std::nullopt) << "it only waits";
  EXPECT_EQ(find_lock_holder(table, makedev(0xfd, 1), 80), std::nullopt) << "of another PID namespace";
  EXPECT_EQ(find_lock_holder("", makedev(0xfd, 1), 77), std::nullopt);
}

TEST_F(FileLockTest, IsHeldByOneAtATimeAndNamesItsHolder) {
  auto first = FileLock::acquire(path_, milliseconds(0));
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = FileLock::acquire(path_, milliseconds(0));
  ASSERT_TRUE(absl::IsAlreadyExists(second.status())) << second.status();
  EXPECT_NE(second.status().message().find("is held by pid " + std::to_string(::getpid())), std::string::npos)
      << second.status();
}

TEST_F(FileLockTest, WaitsForAHolderThatIsAboutToGo) {
  std::optional<base::StatusOr<FileLock>> first = FileLock::acquire(path_, milliseconds(0));
  ASSERT_TRUE(first->ok());
  std::atomic<bool> has_second = false;
  std::thread waiter([&] {
    const auto second = FileLock::acquire(path_, kPatience);
    EXPECT_TRUE(second.ok()) << second.status();
    has_second = true;
  });
  EXPECT_FALSE(has_second);
  first.reset();
  waiter.join();
  EXPECT_TRUE(has_second);
}

TEST_F(FileLockTest, IsOneHoldersAlsoWhileFilesComeAndGo) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 50;
  std::atomic<int> holders = 0;  // ThreadSanitizer does not know that file locks order memory
  std::atomic<int> rounds = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        auto lock = FileLock::acquire(path_, kPatience);
        ASSERT_TRUE(lock.ok()) << lock.status();
        EXPECT_EQ(holders.fetch_add(1), 0);
        ++rounds;
        holders.fetch_sub(1);
        lock->remove_file();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(rounds, kThreads * kRounds);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(FileLockTest, SaysWhatIsInTheWay) {
  ASSERT_EQ(::symlink("elsewhere", path_.c_str()), 0);
  EXPECT_NE(FileLock::acquire(path_, milliseconds(0)).status().message().find("is a symbolic link"), std::string::npos);
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  EXPECT_NE(FileLock::acquire(path_, milliseconds(0)).status().message().find("is a folder"), std::string::npos);
  EXPECT_TRUE(absl::IsNotFound(FileLock::acquire(folder_ + "/none/lock", milliseconds(0)).status()));
}

}  // namespace
}  // namespace kaido::daemon
