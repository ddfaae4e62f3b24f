#include "daemon/node/identity.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

/// What this program syncs, and what a disk says to it.
struct Disk {
  std::vector<std::string> synced;
  std::vector<std::string> whole;  ///< what the whole file system of was synced
  int error = 0;
};
Disk disk;

}  // namespace

static int sync_to_disk(std::vector<std::string>& synced, int file) {
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  std::error_code error;
  synced.push_back(std::filesystem::read_symlink(link, error).string());
  if (disk.error == 0) return 0;
  errno = disk.error;
  return -1;
}

/// In place of the C library's: no disk that is full, or loses its power, can be had in a test.
extern "C" int fsync(int file) { return sync_to_disk(disk.synced, file); }
extern "C" int syncfs(int file) { return sync_to_disk(disk.whole, file); }

namespace kaido::daemon {
namespace {

std::string fresh_folder() {
  std::string path = testing::TempDir() + "kaido-identity-XXXXXX";
  EXPECT_NE(::mkdtemp(path.data()), nullptr);
  return path + "/state";
}

TEST(Identity, TextRoundTrips) {
  Identity identity;
  identity.id.bytes = {1, 2, 3};
  identity.epoch = base::Epoch{42};
  const auto parsed = parse_identity(format_identity(identity));
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->id, identity.id);
  EXPECT_EQ(parsed->epoch, identity.epoch);
}

TEST(Identity, RefusesWhatIsNotExactlyIts) {
  const std::string good = format_identity({base::NodeId{}, base::Epoch{1}});
  for (const std::string& text : {std::string(), good.substr(0, good.size() - 1), good + "x", "ID" + good.substr(2),
                                  good.substr(0, 20), std::string("id: ") + std::string(32, 'z') + "\nepoch: 1\n",
                                  std::string("id: ") + std::string(32, '0') + "\nepoch: -1\n",
                                  std::string("id: ") + std::string(32, '0') + "\nepoch: 99999999999999999999\n"}) {
    EXPECT_FALSE(parse_identity(text).ok()) << text;
  }
}

TEST(StateFolder, KeepsTheIdAndRaisesTheEpochAtEveryStart) {
  const std::string path = fresh_folder();
  base::NodeId id;
  for (std::uint64_t epoch = 1; epoch <= 3; ++epoch) {
    auto folder = StateFolder::open(path);
    ASSERT_TRUE(folder.ok()) << folder.status();
    const auto identity = (*folder)->begin_epoch();
    ASSERT_TRUE(identity.ok()) << identity.status();
    EXPECT_EQ(identity->epoch.value, epoch);
    EXPECT_FALSE(identity->id.is_nil());
    EXPECT_TRUE(epoch == 1 || identity->id == id);
    id = identity->id;
  }
}

TEST(StateFolder, IsHeldByOneDaemonAtATime) {
  const std::string path = fresh_folder();
  auto first = StateFolder::open(path);
  ASSERT_TRUE(first.ok());
  const auto second = StateFolder::open(path, std::chrono::milliseconds(0));
  ASSERT_FALSE(second.ok());
  EXPECT_TRUE(absl::IsAlreadyExists(second.status()));
  EXPECT_NE(second.status().message().find("held by pid " + std::to_string(::getpid())), std::string::npos)
      << second.status();
  first->reset();
  EXPECT_TRUE(StateFolder::open(path).ok());
}

TEST(StateFolder, IsClosedToOthers) {
  const std::string path = fresh_folder();
  ASSERT_TRUE(StateFolder::open(path).ok());
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
}

mode_t mode_of(const std::string& path) {
  struct stat found{};
  EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
  return found.st_mode & mode_t{07777};
}

TEST(StateFolder, ThatWasThereIsNotChanged) {
  const std::string path = fresh_folder();
  ASSERT_EQ(::mkdir(path.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
  const auto folder = StateFolder::open(path);
  ASSERT_TRUE(folder.ok()) << folder.status();
  EXPECT_EQ(mode_of(path), 0755U);
}

TEST(StateFolder, ThatOthersMayWriteIsRefusedAndLeftAlone) {
  const std::string path = fresh_folder();
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0);
  for (const mode_t mode : {mode_t{01777}, mode_t{0770}, mode_t{0702}}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto folder = StateFolder::open(path);
    EXPECT_TRUE(absl::IsFailedPrecondition(folder.status())) << folder.status();
    EXPECT_NE(folder.status().message().find("can be written by others (mode "), std::string::npos) << folder.status();
    EXPECT_NE(folder.status().message().find("set node.state_dir to another folder"), std::string::npos);
    EXPECT_EQ(mode_of(path), mode);
    EXPECT_TRUE(std::filesystem::is_empty(path));
    EXPECT_EQ(StateFolder::check(path), folder.status());
  }
}

TEST(StateFolder, CheckingSaysWhatOpeningSaysAndChangesNothing) {
  const std::string path = fresh_folder();
  EXPECT_TRUE(StateFolder::check(path + "/a/b").ok());
  EXPECT_FALSE(std::filesystem::exists(path));
  std::ofstream(path) << "a file";
  EXPECT_NE(StateFolder::check(path).message().find("is no folder"), std::string::npos) << StateFolder::check(path);
  EXPECT_EQ(StateFolder::open(path).status(), StateFolder::check(path));
  EXPECT_FALSE(StateFolder::check(path + "/state").ok()) << "below a file";
  EXPECT_FALSE(StateFolder::open(path + "/state").ok());
}

TEST(StateFolder, ATrailingSlashMeansTheSameFolder) {
  const std::string path = fresh_folder();
  ASSERT_TRUE(StateFolder::open(path + "//").ok());
  EXPECT_EQ(mode_of(path), 0700U);
}

/// What a folder with this identity is refused with, both by checking and by starting.
class BadIdentity : public testing::Test {
 protected:
  BadIdentity() { EXPECT_TRUE(StateFolder::open(folder_).ok()); }
  base::Status refusal() const {
    const base::Status checked = StateFolder::check(folder_);
    const auto opened = StateFolder::open(folder_);
    EXPECT_EQ(opened.status(), checked);
    EXPECT_NE(checked.message().find(file_ + " "), std::string::npos) << checked;
    EXPECT_NE(checked.message().find("remove it to give this node a new identity"), std::string::npos) << checked;
    return checked;
  }
  bool says(const char* words) const { return refusal().message().find(words) != std::string::npos; }

  const std::string folder_ = fresh_folder();
  const std::string file_ = folder_ + "/identity";
};

TEST_F(BadIdentity, Damaged) {
  std::ofstream(file_) << "id: 0123456789abcdef0123456789abcdeg\nepoch: 12\n";
  EXPECT_TRUE(absl::IsDataLoss(refusal()));
}

TEST_F(BadIdentity, EmptyOrTruncated) {
  std::ofstream(file_) << "";
  EXPECT_TRUE(says("the file is empty")) << refusal();
  std::ofstream(file_) << "id: half";
  EXPECT_TRUE(says("truncated: it has 8 bytes")) << refusal();
  std::ofstream(file_) << "id: 0123456789abcdef0123456789abcdef\nepoch: 12";
  EXPECT_TRUE(says("truncated: its last line has no end")) << refusal();
}

TEST_F(BadIdentity, AFolder) {
  ASSERT_EQ(::mkdir(file_.c_str(), 0700), 0);
  EXPECT_TRUE(says("is a folder")) << refusal();
}

TEST_F(BadIdentity, ALinkThatLeadsInCircles) {
  ASSERT_EQ(::symlink("identity", file_.c_str()), 0);
  EXPECT_TRUE(says("is a symbolic link")) << refusal();
}

TEST_F(BadIdentity, APipe) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  EXPECT_TRUE(says("is no regular file")) << refusal();
}

TEST_F(BadIdentity, TheLastEpoch) {
  std::ofstream(file_) << "id: 0123456789abcdef0123456789abcdef\nepoch: 18446744073709551615\n";
  EXPECT_TRUE(says("no epoch is left")) << refusal();
}

constexpr uid_t kNobody = 65534;

/// Runs `body` in a process of its own; its exit code.
template <class Body>
int in_child(Body body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(UnreadableIdentity, SaysForWhom) {
  // Root reads everything, so it becomes somebody else, to whom the folder then belongs. Any other user stays.
  std::string top = "/tmp/kaido-identity-XXXXXX";
  ASSERT_NE(::mkdtemp(top.data()), nullptr);
  const std::string folder = top + "/state";
  const int code = in_child([&] {
    if (::geteuid() == 0 && (::chown(top.c_str(), kNobody, kNobody) != 0 || ::setuid(kNobody) != 0)) return 2;
    if (!StateFolder::open(folder).ok()) return 3;
    std::ofstream(folder + "/identity") << "secret";
    if (::chmod((folder + "/identity").c_str(), 0) != 0) return 4;
    const std::string why(StateFolder::open(folder).status().message());
    return why.find("cannot be read by uid " + std::to_string(::geteuid())) != std::string::npos ? 0 : 5;
  });
  EXPECT_EQ(code, 0);
  std::filesystem::remove_all(top);
}

TEST(StateFolder, ThatBelongsToSomebodyElseIsRefused) {
  std::string top = "/tmp/kaido-identity-XXXXXX";
  ASSERT_NE(::mkdtemp(top.data()), nullptr);
  ASSERT_EQ(::chmod(top.c_str(), 0755), 0);
  const int code = in_child([&] {
    // Root hands it to another; any other user looks at a folder of root's that everybody may read.
    const bool is_root = ::geteuid() == 0;
    if (is_root && ::chown(top.c_str(), kNobody, kNobody) != 0) return 2;
    const std::string why(StateFolder::open(is_root ? top : "/usr").status().message());
    return why.find(is_root ? "belongs to uid 65534" : "the state folder /usr cannot be used") != std::string::npos ? 0
                                                                                                                    : 3;
  });
  EXPECT_EQ(code, 0);
  std::filesystem::remove_all(top);
}

TEST(StateFolder, AnEpochThatCannotBeWrittenLeavesTheFormerOne) {
  const std::string path = fresh_folder();
  auto folder = StateFolder::open(path);
  ASSERT_TRUE(folder.ok());
  ASSERT_TRUE((*folder)->begin_epoch().ok());
  const int code = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit ten_bytes{.rlim_cur = 10, .rlim_max = 10};
    if (::setrlimit(RLIMIT_FSIZE, &ten_bytes) != 0) return 2;
    const auto identity = (*folder)->begin_epoch();
    return identity.status().message().find("cannot write " + path + "/identity.new") != std::string::npos ? 0 : 3;
  });
  EXPECT_EQ(code, 0);
  EXPECT_FALSE(std::filesystem::exists(path + "/identity.new"));
  const auto next = (*folder)->begin_epoch();
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->epoch.value, 2U);
}

TEST(StateFolder, ADiskWithoutSpaceIsSaidAndLeavesTheFormerEpoch) {
  const std::string path = fresh_folder();
  auto folder = StateFolder::open(path);
  ASSERT_TRUE(folder.ok());
  ASSERT_TRUE((*folder)->begin_epoch().ok());
  for (const int full : {ENOSPC, EDQUOT}) {
    disk.error = full;
    const base::Status refused = (*folder)->begin_epoch().status();
    disk.error = 0;
    EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
    EXPECT_NE(refused.message().find("no space is left to write " + path + "/identity.new"), std::string::npos)
        << refused;
    EXPECT_NE(refused.message().find("set node.state_dir to another file system"), std::string::npos) << refused;
    EXPECT_FALSE(std::filesystem::exists(path + "/identity.new"));
  }
  const auto next = (*folder)->begin_epoch();
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->epoch.value, 2U);
}

TEST(StateFolder, WhatWasMadeIsOnDiskUpToTheFolderThatWasThere) {
  const std::string path = fresh_folder();
  const std::string top = std::filesystem::canonical(std::filesystem::path(path).parent_path());
  const auto is_synced = [](const std::string& name) {
    return std::find(disk.synced.begin(), disk.synced.end(), name) != disk.synced.end();
  };
  disk.synced.clear();
  auto folder = StateFolder::open(path + "/a/b");
  ASSERT_TRUE(folder.ok()) << folder.status();
  for (const std::string& name : {top, top + "/state", top + "/state/a"}) EXPECT_TRUE(is_synced(name)) << name;
  disk.synced.clear();
  ASSERT_TRUE((*folder)->begin_epoch().ok());
  EXPECT_TRUE(is_synced(top + "/state/a/b/identity.new"));
  EXPECT_TRUE(is_synced(top + "/state/a/b"));

  folder->reset();
  disk.synced.clear();
  ASSERT_TRUE(StateFolder::open(path + "/a/b").ok());
  EXPECT_FALSE(is_synced(top + "/state/a")) << "was there";
  disk.error = ENOSPC;
  const base::Status refused = StateFolder::open(path + "/c").status();
  disk.error = 0;
  EXPECT_NE(refused.message().find("cannot create the state folder"), std::string::npos) << refused;
}

// Whoever may enter a folder and write there may still not read it: it cannot be opened to be synced.
TEST(StateFolder, BelowAFolderThatCannotBeReadIsOnDiskWithAllOfIts) {
  std::string top = "/tmp/kaido-identity-XXXXXX";
  ASSERT_NE(::mkdtemp(top.data()), nullptr);
  const std::string path = top + "/closed/state";
  const int code = in_child([&] {
    if (::geteuid() == 0 && (::chown(top.c_str(), kNobody, kNobody) != 0 || ::setuid(kNobody) != 0)) return 2;
    if (::mkdir((top + "/closed").c_str(), 0300) != 0) return 3;
    disk = {};
    auto folder = StateFolder::open(path);
    if (!folder.ok()) return 4;
    if (disk.whole != std::vector<std::string>{path}) return 5;
    if (!(*folder)->begin_epoch().ok()) return 6;
    disk.error = EIO;
    const std::string why(StateFolder::open(top + "/closed/other").status().message());
    if (why.find("cannot create the state folder") == std::string::npos) return 7;
    return ::chmod((top + "/closed").c_str(), 0700) == 0 ? 0 : 8;
  });
  EXPECT_EQ(code, 0);
  std::filesystem::remove_all(top);
}

}  // namespace
}  // namespace kaido::daemon
