/// What the parity tests share: runtimes of each flavour, and the fixture that runs a case on all of them.
#pragma once

#include <cstddef>
#include <string>

#include <gtest/gtest.h>

#include <kaido/runtime.h>

namespace kaido::parity {

[[nodiscard]] inline Runtime current_thread() {
  return RuntimeBuilder::new_current_thread().enable_all().build().value();
}

/// With a clock that stands still, and jumps when nothing can run.
[[nodiscard]] inline Runtime paused() {
  return RuntimeBuilder::new_current_thread().enable_all().start_paused().build().value();
}

[[nodiscard]] inline Runtime multi_thread(std::size_t workers) {
  return RuntimeBuilder::new_multi_thread().worker_threads(workers).enable_all().build().value();
}

/// The runtimes on which tokio's rt_test! runs each case.
enum class Flavour { kCurrentThread, kMultiThread4, kMultiThread1 };

[[nodiscard]] inline Runtime make_runtime(Flavour flavour) {
  switch (flavour) {
    case Flavour::kCurrentThread:
      return current_thread();
    case Flavour::kMultiThread4:
      return multi_thread(4);
    case Flavour::kMultiThread1:
      break;
  }
  return multi_thread(1);
}

[[nodiscard]] inline std::string flavour_name(const ::testing::TestParamInfo<Flavour>& info) {
  switch (info.param) {
    case Flavour::kCurrentThread:
      return "current_thread";
    case Flavour::kMultiThread4:
      return "multi_thread_4";
    case Flavour::kMultiThread1:
      break;
  }
  return "multi_thread_1";
}

class FlavourTest : public ::testing::TestWithParam<Flavour> {
 protected:
  [[nodiscard]] Runtime runtime() const { return make_runtime(GetParam()); }
};

/// Runs the cases of fixture `suite` on every flavour.
#define KAIDO_FLAVOURS(suite)                                                                              \
  INSTANTIATE_TEST_SUITE_P(                                                                                \
      Flavours, suite,                                                                                     \
      ::testing::Values(::kaido::parity::Flavour::kCurrentThread, ::kaido::parity::Flavour::kMultiThread4, \
                        ::kaido::parity::Flavour::kMultiThread1),                                          \
      ::kaido::parity::flavour_name)

}  // namespace kaido::parity
