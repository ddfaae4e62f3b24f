/// tokio's rt_shutdown_err.rs: the error of sockets whose runtime is gone can be told from all others.
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/net.h>
#include <kaido/runtime.h>

#include "tests/tokio/poll_fn.h"
#include "tests/tokio/support.h"

namespace kaido::parity {
namespace {

TEST(rt_shutdown_err, test_is_rt_shutdown_err) {
  std::optional<Runtime> owner(current_thread());
  Runtime other = current_thread();
  std::optional<net::Listener> listener = owner->block_on([]() -> Task<std::optional<net::Listener>> {
    co_return net::Listener::bind(net::Address::parse("127.0.0.1:0")).value();
  });
  owner.reset();
  const std::error_code error = other.block_on([&listener]() -> Task<std::error_code> {
    const auto accepted = co_await listener->accept();
    co_return accepted.error();
  });
  EXPECT_TRUE(is_rt_shutdown_err(error)) << error.message();
}

TEST(rt_shutdown_err, test_is_not_rt_shutdown_err) {
  for (std::errc code :
       {std::errc::not_connected, std::errc::connection_reset, std::errc::operation_canceled, std::errc::broken_pipe}) {
    EXPECT_FALSE(is_rt_shutdown_err(std::make_error_code(code)));
  }
  EXPECT_FALSE(is_rt_shutdown_err(std::error_code(1, std::system_category())));
}

Error error_of(JoinHandle<void> handle, Runtime& rt) { return rt.block_on(handle).error(); }

TEST(rt_shutdown_err, test_join_error_panic) {
  Runtime rt = current_thread();
  auto handle = rt.spawn([]() -> Task<void> {
    throw std::runtime_error("the runtime to which the socket belongs has ended");
    co_return;
  });
  const Error error = error_of(std::move(handle), rt);
  ASSERT_TRUE(error.is_panic());
  EXPECT_FALSE(is_rt_shutdown_err(error));
}

TEST(rt_shutdown_err, test_join_error_cancelled) {
  Runtime rt = current_thread();
  auto handle = rt.spawn([]() -> Task<void> { co_await pending(); });
  handle.abort();
  const Error error = error_of(std::move(handle), rt);
  ASSERT_TRUE(error.is_cancelled());
  EXPECT_FALSE(is_rt_shutdown_err(error));
}

}  // namespace
}  // namespace kaido::parity
