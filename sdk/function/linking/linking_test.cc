// Which functions of static libraries a program offers that refers to none of them.
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "sdk/function/function_table.h"
#include "sdk/function/linking/functions.h"

KAIDO_REQUIRE(linking::required);

namespace kaido::detail {
namespace {

TEST(StaticLibrary, KeepsItsFunctionsByAlwayslinkOrWhereTheProgramRequiresThem) {
  const auto table = FunctionTable::collect();
  ASSERT_TRUE(table.ok()) << table.error();
  std::vector<std::string_view> names;
  for (const FunctionEntry* entry : *table) names.push_back(entry->name);
  // Without either a function is lost, silently: that is why the two exist.
  EXPECT_EQ(names, (std::vector<std::string_view>{"linking::kept", "linking::required"}));
}

}  // namespace
}  // namespace kaido::detail
