#include "daemon/security/plaintext.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

/// A stream of which nothing matters but who is at its other end.
class StreamFrom final : public ByteStream {
 public:
  explicit StreamFrom(PeerIdentity identity) : identity_(std::move(identity)) {}
  void attach(Loop&, IoSource&, Readiness) override {}
  void set_interest(Readiness) override {}
  IoResult read(std::span<std::byte>) override { return {}; }
  IoResult write(std::span<const std::span<const std::byte>>) override { return {}; }
  void finish_writing() override {}
  base::Status error() const override { return base::Status(); }
  PeerIdentity identity() const override { return identity_; }
  std::string remote() const override { return "unix:unknown"; }

 private:
  const PeerIdentity identity_;
};

/// What a provider of this policy says to it.
base::Status verdict(PlaintextProvider::Policy policy, PeerIdentity identity) {
  Loop loop;
  std::optional<base::Status> said;
  const auto later = PlaintextProvider(policy).secure(
      loop, std::make_unique<StreamFrom>(std::move(identity)), StreamRole::kAccepting, base::Instant{},
      [&](base::StatusOr<std::unique_ptr<ByteStream>> stream) { said = stream.status(); });
  EXPECT_EQ(later, nullptr);
  return said.value_or(absl::InternalError("secure() said nothing"));
}

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

TEST(PlaintextProvider, NodesBelongToOneUserWhereTheKernelKnowsTheirs) {
  using Policy = PlaintextProvider::Policy;
  const auto of = [](uid_t uid) { return PeerIdentity{.credentials = PeerCredentials{1, uid, 0}, .has_owner = true}; };
  for (const Policy policy : {Policy::kSameUser, Policy::kAnyNetwork}) {
    EXPECT_TRUE(verdict(policy, of(::geteuid())).ok());
    EXPECT_TRUE(verdict(policy, of(0)).ok());
    EXPECT_EQ(verdict(policy, of(::geteuid() + 1)).code(), absl::StatusCode::kPermissionDenied);
    const base::Status unknown = verdict(policy, {.has_owner = true});
    EXPECT_EQ(unknown.code(), absl::StatusCode::kPermissionDenied) << "whose credentials could not be read";
    EXPECT_NE(unknown.message().find("does not say to which user"), std::string::npos) << unknown;
  }
  EXPECT_TRUE(verdict(Policy::kAnyNetwork, {}).ok()) << "TCP: nobody knows";
  EXPECT_FALSE(verdict(Policy::kSameUser, {}).ok());
  EXPECT_TRUE(verdict(Policy::kThisHostOnly, of(::geteuid() + 1)).ok()) << "apps: the socket's mode decides";
}

}  // namespace
}  // namespace kaido::daemon
