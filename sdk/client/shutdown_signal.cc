#include <kaido/shutdown_signal.h>

#include <csignal>

#include <boost/asio/signal_set.hpp>

#include <kaido/asio.h>

namespace kaido::inline abi0 {

Task<int> shutdown_signal() {
  boost::asio::signal_set signals(io_executor(), SIGINT, SIGTERM);
  const IoResult<int> received = co_await signals.async_wait(use_task);
  co_return received.value();
}

}  // namespace kaido::inline abi0
