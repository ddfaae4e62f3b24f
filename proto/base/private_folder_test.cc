#include "proto/base/private_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace kaido::base {
namespace {

constexpr uid_t kMe = 54321;
constexpr uid_t kOther = 54322;

TEST(PrivateFolder, IsMineOrRootsAndWrittenByNobodyElse) {
  EXPECT_EQ(why_not_private({.owner = kMe, .mode = 0700}, kMe), std::nullopt);
  EXPECT_EQ(why_not_private({.owner = kMe, .mode = 0755}, kMe), std::nullopt);
  EXPECT_EQ(why_not_private({.owner = 0, .mode = 0755}, kMe), std::nullopt);
  EXPECT_EQ(why_not_private({.owner = kOther, .mode = 0700}, kMe), "belongs to uid 54322, not to uid 54321");
  EXPECT_EQ(why_not_private({.owner = kMe, .mode = 0720}, kMe), "can be written by others (mode 0720)");
  EXPECT_EQ(why_not_private({.owner = 0, .mode = 01777}, kMe), "can be written by others (mode 1777)");
  EXPECT_EQ(why_not_private({.is_link = true, .is_folder = false, .owner = kMe}, kMe),
            "is a symbolic link of uid 54321, not a folder");
  EXPECT_EQ(why_not_private({.is_folder = false, .owner = kMe}, kMe), "is no folder");
}

/// The fallback folder of a user that does not exist.
class FallbackFolder : public testing::Test {
 protected:
  FallbackFolder() { clear(); }
  ~FallbackFolder() override { clear(); }
  void clear() const { std::remove(folder_.c_str()); }
  const uid_t uid_ = 2'000'000'000 + static_cast<uid_t>(::getpid());
  const std::string folder_ = fallback_socket_folder(uid_);
};

TEST_F(FallbackFolder, IsRefusedWhenItIsALinkOrSomebodyElses) {
  const std::string socket = folder_ + "/kaidod.sock";
  EXPECT_EQ(fallback_folder_problem(socket, uid_), std::nullopt) << "nothing is there";
  ASSERT_EQ(::symlink("/", folder_.c_str()), 0);
  auto problem = fallback_folder_problem(socket, uid_);
  ASSERT_TRUE(problem);
  EXPECT_TRUE(problem->starts_with(folder_ + " is a symbolic link of uid ")) << *problem;
  clear();
  ASSERT_EQ(::mkdir(folder_.c_str(), 0700), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0777), 0);
  problem = fallback_folder_problem(socket, uid_);
  ASSERT_TRUE(problem);
  EXPECT_NE(problem->find("set XDG_RUNTIME_DIR"), std::string::npos) << *problem;
  EXPECT_EQ(fallback_folder_problem("/tmp/elsewhere/kaidod.sock", uid_), std::nullopt) << "who names it has chosen it";
}

}  // namespace
}  // namespace kaido::base
