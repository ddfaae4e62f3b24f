/// TwoNodes: what tests of two machines that know each other begin with.
#pragma once

#include <functional>
#include <utility>

#include <gtest/gtest.h>

#include "daemon/core/node/machine_fixture.h"

namespace kaido::daemon {

class TwoNodes : public testing::Test {
 protected:
  /// b has dialed a, and everything that follows from it has happened. `tune` is for a.
  void join(std::function<void(NodeMachineOptions&)> tune = nullptr) {
    a = &world.start({.name = "a", .number = 1, .tune = std::move(tune)});
    b = &world.start({.name = "b", .number = 2, .peers = {"a"}});
    ASSERT_TRUE(world.run_until([&] { return a->peers() == 1 && b->peers() == 1; }));
    world.settle();
  }

  World world;
  TestNode* a = nullptr;
  TestNode* b = nullptr;
};

}  // namespace kaido::daemon
