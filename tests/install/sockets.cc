// Asio's sockets on a runtime that is in a shared library: both have Asio's code, and what it notes of a thread is one.
#include <array>
#include <chrono>
#include <cstdio>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <kaido/asio.h>
#include <kaido/kaido.h>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using Socket = asio::local::stream_protocol::socket;

// Events that find no operation, operations that find no event, a read that is given up, and the end.
kaido::Task<int> exchange() {
  Socket a(kaido::io_executor());
  Socket b(kaido::io_executor());
  asio::local::connect_pair(a, b);
  std::array<char, 16> bytes{};
  int sum = 0;
  for (int i = 0; i < 21; ++i) {
    asio::write(b, asio::buffer("xy", 2));
    if (i % 3 == 0) co_await kaido::sleep(1ms);
    sum += static_cast<int>((co_await a.async_read_some(asio::buffer(bytes), kaido::use_task)).value_or(0));
    auto given_up = co_await kaido::timeout(1ms, a.async_read_some(asio::buffer(bytes), kaido::use_task));
    if (given_up) co_return 1;
  }
  b.close();
  const auto end = co_await a.async_read_some(asio::buffer(bytes), kaido::use_task);
  if (end || end.error() != asio::error::eof) co_return 2;
  if (a.get_executor() != kaido::io_executor()) co_return 3;
  co_return sum;
}

kaido::Task<int> all() {
  std::vector<kaido::JoinHandle<int>> tasks;
  for (int i = 0; i < 8; ++i) tasks.push_back(kaido::spawn(exchange()));
  int answer = 0;
  for (auto& task : tasks) answer = (co_await task).value();
  co_return answer;
}

int main() {
  auto alone = kaido::RuntimeBuilder::new_current_thread().enable_all().build().value();
  auto several = kaido::RuntimeBuilder::new_multi_thread().worker_threads(4).enable_all().build().value();
  const int first = alone.block_on(all());
  const int second = several.block_on(all());
  std::printf("%d\n", first == second ? first : 0);
}
