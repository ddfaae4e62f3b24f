/// What the tests of Asio in tasks share: a runtime of each flavour, and a pair of connected sockets.
#pragma once

#include <utility>

#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <kaido/asio.h>
#include <kaido/join.h>
#include <kaido/runtime.h>
#include <kaido/task.h>

#include "sdk/testing/runtimes.h"

namespace kaido::testing {

/// The parameter: whether the runtime is multi-threaded.
class AsioTest : public ::testing::TestWithParam<bool> {
 protected:
  Runtime runtime_ = make_runtime(GetParam());
};

#define KAIDO_ASIO_FLAVOURS(suite)                             \
  INSTANTIATE_TEST_SUITE_P(Flavours, suite, ::testing::Bool(), \
                           [](const auto& info) { return info.param ? "MultiThread" : "CurrentThread"; })

struct SocketPair {
  SocketPair() : client(io_executor()), server(io_executor()) {}
  boost::asio::ip::tcp::socket client;
  boost::asio::ip::tcp::socket server;
};

inline Task<SocketPair> connected_pair() {
  using boost::asio::ip::tcp;
  tcp::acceptor acceptor(io_executor(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
  SocketPair pair;
  auto [accepted, connected] =
      co_await join(acceptor.async_accept(use_task), pair.client.async_connect(acceptor.local_endpoint(), use_task));
  connected.value();
  pair.server = std::move(accepted).value();
  co_return pair;
}

}  // namespace kaido::testing
