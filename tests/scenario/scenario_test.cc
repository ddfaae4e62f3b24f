// Every script beside this file is a test case of its own.
#include "tests/scenario/scenario.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace kaido::daemon::testing {
namespace {

std::vector<std::string> scripts() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator("tests/scenario")) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string name_of(const ::testing::TestParamInfo<std::string>& info) {
  return std::filesystem::path(info.param).stem().string();
}

class Script : public ::testing::TestWithParam<std::string> {};

TEST_P(Script, GoesAsItSays) {
  std::ifstream file(GetParam());
  ASSERT_TRUE(file.is_open()) << GetParam();
  std::stringstream text;
  text << file.rdbuf();
  Scenario scenario;
  EXPECT_TRUE(scenario.run(text.str())) << GetParam() << ": " << scenario.error();
}

INSTANTIATE_TEST_SUITE_P(Scenario, Script, ::testing::ValuesIn(scripts()), name_of);

// The runner itself must fail where it should.
TEST(ScenarioRunner, RefusesWhatItCannotReadOrWhatDoesNotHold) {
  const std::string nodes = "node a\nworker a w slots=1 f\n";
  for (const std::string& script : {
           std::string(""),
           nodes + "dance a",
           nodes + "expect delivered a t1 succeeded",
           nodes + "submit a t1 f\nexpect delivered a t1 succeeded",
           nodes + "submit a t1 f\nfinish a t1 x\nexpect delivered a t1 succeeded y",
           nodes + "submit a t1 f\nfinish a t1 x\nexpect delivered a t1 cancelled",
           nodes + "submit a t1 f\nexpect running a t1",
           nodes + "drop a b call\nexpect counter a tasks 0",
           nodes + "submit a t1 f\nfinish a t1 x\nexpect executions t1 2",
       }) {
    Scenario scenario;
    EXPECT_FALSE(scenario.run(script)) << script;
    EXPECT_FALSE(scenario.error().empty());
  }
}

}  // namespace
}  // namespace kaido::daemon::testing
