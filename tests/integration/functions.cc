#include "tests/integration/functions.h"

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

#include <kaido/function.h>
#include <kaido/time.h>
#include <unistd.h>

namespace kaido::test {
namespace {

constexpr std::chrono::milliseconds kPoll{2};

/// Says that a function runs, and when it does not any more.
class Presence {
 public:
  Presence(std::string journal, std::string_view node) : journal_(std::move(journal)), node_(node) {
    append("started ");
  }
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;
  ~Presence() { append("ended "); }

 private:
  void append(const char* what) const { std::ofstream(journal_, std::ios::app) << what + node_ + "\n" << std::flush; }

  const std::string journal_;
  const std::string node_;
};

}  // namespace

std::string echo(std::string text) { return text; }

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

Summary summarize(std::string_view text, std::vector<double> weights, std::optional<std::int64_t> limit) {
  Summary summary;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    if (limit && static_cast<std::int64_t>(summary.words.size()) >= *limit) break;
    summary.words.push_back(word);
  }
  summary.total_weight = sum(weights);
  return summary;
}

std::string where(kaido::Context& context) { return std::string(context.node()); }

int boom(std::string text) { throw std::runtime_error(text); }

std::uint32_t crash_once(kaido::Context& context) {
  if (context.attempt() == 1) std::abort();
  return context.attempt();
}

kaido::Task<void> hold(kaido::Context& context, std::string journal) {
  const Presence presence(std::move(journal), context.node());
  for (;;) co_await kaido::sleep(std::chrono::hours(1));
}

void hold_plainly(kaido::Context& context, std::string journal) {
  const Presence presence(std::move(journal), context.node());
  while (!context.is_cancelled()) std::this_thread::sleep_for(kPoll);
}

kaido::Task<std::string> await_release(kaido::Context& context, std::string journal, std::string release) {
  const Presence presence(std::move(journal), context.node());
  while (::access(release.c_str(), F_OK) != 0) co_await kaido::sleep(kPoll);
  co_return std::string(context.node());
}

std::int64_t Tally::add(std::int64_t amount) { return total_ += amount; }

std::int64_t Tally::total() const { return total_; }

KAIDO_FUNCTION(echo);
KAIDO_FUNCTION(sum);
KAIDO_FUNCTION(summarize, "text", "weights", "limit");
KAIDO_FUNCTION(where);
KAIDO_FUNCTION(boom);
KAIDO_FUNCTION(crash_once);
KAIDO_FUNCTION(hold);
KAIDO_FUNCTION(hold_plainly);
KAIDO_FUNCTION(await_release);

}  // namespace kaido::test
