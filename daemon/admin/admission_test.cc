#include "daemon/admin/admission.h"

#include <array>
#include <string>

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace kaido::daemon
