#include "daemon/admin/admission.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "daemon/admin/socket_file.h"

namespace kaido::daemon {
namespace {

TEST(Admission, LetsInRootTheOwnUserAndAllowedGroupsOnly) {
  const std::array<gid_t, 2> groups = {50, 60};
  EXPECT_TRUE(may_administrate({.uid = 0, .gid = 1}, 1000, {}));
  EXPECT_TRUE(may_administrate({.uid = 1000, .gid = 1}, 1000, {}));
  EXPECT_FALSE(may_administrate({.uid = 1001, .gid = 1}, 1000, {}));
  EXPECT_TRUE(may_administrate({.uid = 1001, .gid = 60}, 1000, groups));
  EXPECT_FALSE(may_administrate({.uid = 1001, .gid = 61}, 1000, groups));
  // 65534 is what the kernel reports for a user outside the daemon's user namespace.
  EXPECT_FALSE(may_administrate({.uid = 65534, .gid = 65534}, 1000, groups));
}

TEST(Admission, KnowsHttp2ByItsFirstBytes) {
  EXPECT_EQ(classify_admin_preface(kHttp2Preface), AdminPreface::kComplete);
  EXPECT_EQ(classify_admin_preface(std::string(kHttp2Preface) + "more"), AdminPreface::kComplete);
  EXPECT_EQ(classify_admin_preface(""), AdminPreface::kPartial);
  EXPECT_EQ(classify_admin_preface("PRI * HT"), AdminPreface::kPartial);
  EXPECT_EQ(classify_admin_preface("GET / HTTP/1.1\r\n"), AdminPreface::kForeign);
  EXPECT_EQ(classify_admin_preface("PRI * HTTP/1"), AdminPreface::kForeign);
  EXPECT_EQ(classify_admin_preface(std::string(1, '\0')), AdminPreface::kForeign);
}

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
  auto file = AdminSocketFile::listen(path_, 0660);
  ::umask(umask_before);
  ASSERT_TRUE(file.ok()) << file.status();
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
  file->reset();
  EXPECT_FALSE(exists());
}

TEST_F(SocketFileTest, ReplacesAFileThatNobodyListensAt) {
  const auto first = AdminSocketFile::listen(path_, 0600);
  ASSERT_TRUE(first.ok());
  ::close((*first)->release_descriptor());  // as after a crash: the file stays
  const auto second = AdminSocketFile::listen(path_, 0600);
  EXPECT_TRUE(second.ok()) << second.status();
}

TEST_F(SocketFileTest, RefusesWhereAnotherListensAndLeavesThatOneAlone) {
  const auto first = AdminSocketFile::listen(path_, 0600);
  ASSERT_TRUE(first.ok());
  const auto second = AdminSocketFile::listen(path_, 0600);
  EXPECT_TRUE(absl::IsAlreadyExists(second.status())) << second.status();
  EXPECT_TRUE(exists());
}

TEST_F(SocketFileTest, DoesNotRemoveTheFileOfItsSuccessor) {
  auto first = AdminSocketFile::listen(path_, 0600);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(::rename(path_.c_str(), (path_ + ".old").c_str()), 0);  // keeps the inode, so that it is not reused
  const auto second = AdminSocketFile::listen(path_, 0600);
  ASSERT_TRUE(second.ok());
  first->reset();
  EXPECT_TRUE(exists());
  ::unlink((path_ + ".old").c_str());
}

TEST_F(SocketFileTest, RefusesWhatIsNoSocketNoFolderOrTooLong) {
  std::ofstream(path_) << "precious";
  EXPECT_TRUE(absl::IsInvalidArgument(AdminSocketFile::listen(path_, 0600).status()));
  EXPECT_TRUE(exists());
  EXPECT_TRUE(absl::IsNotFound(AdminSocketFile::listen(folder_ + "/none/admin.sock", 0600).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(AdminSocketFile::listen(std::string(108, 'x'), 0600).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(AdminSocketFile::listen("", 0600).status()));
}

}  // namespace
}  // namespace kaido::daemon
