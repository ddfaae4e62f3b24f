// Which retry: by the cluster after a loss, by the function's nature, by the caller when every queue is full.
#include <kaido/kaido.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

using namespace std::chrono_literals;

std::int64_t charge(std::string account, std::int64_t cents) { return account.empty() ? 0 : cents; }
KAIDO_FUNCTION(charge);

std::int64_t word_length(std::string word) { return static_cast<std::int64_t>(word.size()); }
KAIDO_FUNCTION(word_length);

// Once at most: what may or may not have run is looked up, not repeated.
kaido::Task<std::string> pay(std::string account, std::int64_t cents) {
  const auto paid = co_await kaido::remote<charge>().with_timeout(5s).call(account, cents);
  if (paid) co_return "paid";
  const kaido::Error& error = paid.error();
  const bool may_have_run = error.is_node_lost() || error.is_app_lost() || error.is_unavailable() ||
                            (error.is_rejected() && error.retry_after() == 0ms);
  co_return may_have_run ? "look it up" : "not paid: " + error.to_string();
}

// Twice does no harm: started again after any loss, on another node where there is one.
kaido::Task<std::int64_t> measure(std::string word) {
  const auto rules = kaido::remote<word_length>().idempotent().with_wait(10s).with_timeout(1min);
  for (;;) {
    auto length = co_await rules.call(word);
    if (length) co_return *length;
    // Nothing was started: every queue is full. The error says when it is worth trying again.
    const std::chrono::milliseconds retry_after = length.error().retry_after();
    if (!length.error().is_rejected() || retry_after == 0ms) throw kaido::ErrorException(std::move(length).error());
    co_await kaido::sleep(retry_after);
  }
}

kaido::Task<int> run() {
  const std::string outcome = co_await pay("a-17", 1250);
  const std::int64_t length = co_await measure("kaido");
  std::printf("%s, %lld\n", outcome.c_str(), static_cast<long long>(length));
  co_return outcome == "paid" && length == 5 ? 0 : 1;
}

int main() {
  auto runtime = kaido::Runtime::create().value();
  return runtime.block_on(run());
}
