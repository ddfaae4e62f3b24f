// The table cell by cell, against one that is written down otherwise: by the number of the kind, as
// docs/protocol/frames.md numbers them, and the states in which it may come.
#include "daemon/core/session/frame_rules.h"

#include <array>
#include <map>
#include <set>

#include <gtest/gtest.h>

namespace kaido::daemon {
namespace {

// What an app may say, and when.
const std::map<int, std::set<AppState>> kAppMay = {
    {1, {AppState::kAwaitHello}},                     // hello
    {3, {AppState::kReady}},                          // register
    {5, {AppState::kReady}},                          // prepare
    {7, {AppState::kReady}},                          // call
    {9, {AppState::kReady}},                          // result
    {10, {AppState::kReady}},                         // cancel
    {15, {AppState::kReady}},                         // ping
    {16, {AppState::kReady}},                         // pong
    {17, {AppState::kAwaitHello, AppState::kReady}},  // goodbye
    {20, {AppState::kReady}},                         // yield
    {21, {AppState::kReady}},                         // resume
};

constexpr PeerState kInfo = PeerState::kAwaitInfo;
constexpr PeerState kUp = PeerState::kEstablished;
constexpr PeerState kOld = PeerState::kRetiring;
constexpr PeerState kLast = PeerState::kDraining;

// What a peer may say, and when. A peer never says register or registered.
const std::map<int, std::set<PeerState>> kPeerMay = {
    {1, {PeerState::kAwaitHello}},                          // hello
    {2, {PeerState::kAwaitCommit, PeerState::kCommitted}},  // welcome
    {5, {kUp, kOld}},                                       // prepare
    {6, {kUp, kOld}},                                       // prepared
    {7, {kUp, kOld}},                                       // call
    {8, {kUp, kOld}},                                       // started
    {9, {kUp, kOld}},                                       // result
    {10, {kUp, kOld}},                                      // cancel
    {11, {kUp, kOld}},                                      // redirect
    {13, {kInfo, kUp, kOld}},                               // node info
    {15, {kInfo, kUp, kOld, kLast}},                        // ping
    {16, {kInfo, kUp, kOld}},                               // pong
    {17, {PeerState::kAwaitHello, PeerState::kAwaitCommit, PeerState::kCommitted, kInfo, kUp, kOld, kLast}},  // goodbye
    {22, {kUp, kOld}},                                                                                        // queued
    {23, {kUp, kOld}},                                                                                        // inquire
    {24, {kUp, kOld}},  // node info delta
    {25, {kUp, kOld}},  // node info wanted
};

template <class State>
void expect_table(const std::map<int, std::set<State>>& may, std::size_t states) {
  for (std::size_t number = 0; number < states; ++number) {
    const auto state = static_cast<State>(number);
    for (int kind = 0; kind < 256; ++kind) {
      const auto known = may.find(kind);
      const FrameRule expected = state == State::kClosed                               ? FrameRule::kDrop
                                 : known != may.end() && known->second.contains(state) ? FrameRule::kHandle
                                                                                       : FrameRule::kRefuse;
      EXPECT_EQ(rule_for(state, static_cast<wire::FrameKind>(kind)), expected)
          << "a frame of kind " << kind << " in a session that is " << name(state);
    }
  }
}

TEST(FrameRules, OfAppsCellByCell) { expect_table(kAppMay, kAppStates); }

TEST(FrameRules, OfPeersCellByCell) { expect_table(kPeerMay, kPeerStates); }

TEST(FrameRules, EveryStateHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (std::size_t state = 0; state < kAppStates; ++state) names.insert(name(static_cast<AppState>(state)));
  EXPECT_EQ(names.size(), kAppStates);
  names.clear();
  for (std::size_t state = 0; state < kPeerStates; ++state) names.insert(name(static_cast<PeerState>(state)));
  EXPECT_EQ(names.size(), kPeerStates);
  EXPECT_FALSE(names.contains(""));
}

TEST(FrameRules, NumbersThatWereGivenUpAreUnknown) {
  for (const int number : {0, 12, 14, 26}) EXPECT_FALSE(wire::is_known(static_cast<wire::FrameKind>(number))) << number;
}

TEST(FrameRules, WhatIsHandledIsAKindThatThisVersionKnows) {
  for (int number = 0; number < 256; ++number) {
    const auto kind = static_cast<wire::FrameKind>(number);
    if (kAppMay.contains(number) || kPeerMay.contains(number)) {
      EXPECT_TRUE(wire::is_known(kind)) << number;
    }
  }
}

}  // namespace
}  // namespace kaido::daemon
