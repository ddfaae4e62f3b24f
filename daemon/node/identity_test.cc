#include "daemon/node/identity.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

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
  const auto second = StateFolder::open(path);
  ASSERT_FALSE(second.ok());
  EXPECT_TRUE(absl::IsAlreadyExists(second.status()));
  first->reset();
  EXPECT_TRUE(StateFolder::open(path).ok());
}

TEST(StateFolder, IsClosedToOthers) {
  const std::string path = fresh_folder();
  ASSERT_TRUE(StateFolder::open(path).ok());
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
}

TEST(StateFolder, ADamagedFileIsNotGuessedAt) {
  const std::string path = fresh_folder();
  auto folder = StateFolder::open(path);
  ASSERT_TRUE(folder.ok());
  std::ofstream(path + "/identity") << "id: half";
  const auto identity = (*folder)->begin_epoch();
  ASSERT_FALSE(identity.ok());
  EXPECT_TRUE(absl::IsDataLoss(identity.status()));
  EXPECT_NE(identity.status().message().find("remove it to give this node a new identity"), std::string::npos);
}

}  // namespace
}  // namespace kaido::daemon
