#include "daemon/security/plaintext.h"

#include <string>

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

TEST(PlaintextProvider, RefusesEndpointsBeyondThisHostAndSaysWhatToDo) {
  const PlaintextProvider provider(PlaintextProvider::Policy::kThisHostOnly);
  for (const StreamRole role : {StreamRole::kAccepting, StreamRole::kConnecting}) {
    const base::Status refused = provider.check({"tcp:10.0.0.7:7400", Reach::kNetwork}, role);
    EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_NE(refused.message().find("tcp:10.0.0.7:7400"), std::string::npos);
    EXPECT_NE(refused.message().find("insecure_plaintext: true"), std::string::npos);
  }
}

TEST(PlaintextProvider, AllowsThisHost) {
  const PlaintextProvider provider(PlaintextProvider::Policy::kThisHostOnly);
  for (const Reach reach : {Reach::kProcess, Reach::kHost, Reach::kLoopback}) {
    EXPECT_TRUE(provider.check({"here", reach}, StreamRole::kAccepting).ok());
    EXPECT_TRUE(provider.check({"here", reach}, StreamRole::kConnecting).ok());
  }
}

TEST(PlaintextProvider, LetsNodesMeetOverUnixSocketsOnlyUnlessToldOtherwise) {
  const PlaintextProvider provider(PlaintextProvider::Policy::kSameUser);
  EXPECT_TRUE(provider.check({"unix:/here", Reach::kHost}, StreamRole::kAccepting).ok());
  const base::Status refused = provider.check({"tcp:127.0.0.1:7400", Reach::kLoopback}, StreamRole::kAccepting);
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_NE(refused.message().find("any user of this host could pose as a node"), std::string::npos) << refused;
}

TEST(PlaintextProvider, AllowsAnyNetworkOnlyByName) {
  const PlaintextProvider provider(PlaintextProvider::Policy::kAnyNetwork);
  EXPECT_TRUE(provider.check({"tcp:10.0.0.7:7400", Reach::kNetwork}, StreamRole::kConnecting).ok());
}

}  // namespace
}  // namespace kaido::daemon
