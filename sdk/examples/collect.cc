// select: gathers readings into batches, by number or by time, until the senders are gone or it takes too long.
#include <kaido/kaido.h>

#include <chrono>
#include <cstdio>
#include <vector>

#include <kaido/interval.h>
#include <kaido/join.h>
#include <kaido/select.h>
#include <kaido/sync/mpsc.h>

using namespace std::chrono_literals;

constexpr std::size_t kBatch = 4;

kaido::Task<void> measure(kaido::mpsc::Sender<int> sender, int count) {
  for (int reading = 0; reading < count; ++reading) {
    if (!co_await sender.send(reading)) co_return;
  }
}

kaido::Task<int> collect(kaido::mpsc::Receiver<int> receiver) {
  std::vector<int> batch;
  int written = 0;
  bool is_open = true;
  auto flush = [&] {
    written += static_cast<int>(batch.size());
    batch.clear();
  };
  kaido::Interval ticks = kaido::interval(50ms);
  while (is_open) {
    co_await kaido::select(
        kaido::on_value(receiver.recv(), [&](int reading) { batch.push_back(reading); }).when(batch.size() < kBatch),
        // A tick writes what is there; a full batch is written at once.
        kaido::on(ticks.tick(), [&](kaido::Instant) { flush(); }).when(!batch.empty()),
        kaido::on(kaido::yield_now(), [&] { flush(); }).when(batch.size() == kBatch),
        kaido::otherwise([&] { is_open = false; }));
  }
  co_return written;
}

kaido::Task<int> run() {
  auto [sender, receiver] = kaido::mpsc::channel<int>(16);
  auto other = sender;
  auto work = kaido::join(measure(std::move(sender), 10), measure(std::move(other), 13), collect(std::move(receiver)));
  const auto done = co_await kaido::timeout(10s, std::move(work));
  if (!done) co_return 1;
  std::printf("collected %d\n", std::get<2>(*done));
  co_return 0;
}

int main() {
  auto runtime = kaido::Runtime::create().value();
  return runtime.block_on(run());
}
