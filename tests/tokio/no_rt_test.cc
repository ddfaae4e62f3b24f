/// tokio's no_rt.rs: what needs a runtime says so.
#include <chrono>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include <kaido/time.h>

#include "tests/tokio/poll_fn.h"

namespace kaido::parity {
namespace {

TEST(no_rt, timeout_panics_when_no_tokio_context) {
  const auto run = [] {
    foreign_block_on(
        []() -> Task<void> { static_cast<void>(co_await timeout(std::chrono::milliseconds(20), pending())); });
  };
  EXPECT_THROW(run(), std::logic_error);
}

}  // namespace
}  // namespace kaido::parity
