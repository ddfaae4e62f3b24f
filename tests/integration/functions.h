/// What the worker program offers to the tests. Declarations are all that a caller needs.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <kaido/context.h>
#include <kaido/service.h>
#include <kaido/task.h>

namespace kaido::test {

std::string echo(std::string text);
double sum(const std::vector<double>& values);

struct Summary {
  std::vector<std::string> words;
  double total_weight = 0;
};
/// At most `limit` words of the text, and the sum of the weights. For callers that know it by its schema only.
Summary summarize(std::string_view text, std::vector<double> weights, std::optional<std::int64_t> limit);

/// The name of the node that ran it.
std::string where(kaido::Context& context);
/// Throws std::runtime_error with this text.
int boom(std::string text);
/// Ends the worker by abort(), if this is the first attempt.
std::uint32_t crash_once(kaido::Context& context);

/// Appends a line "started <node>" to a file and never returns; "ended <node>" when it is cancelled.
kaido::Task<void> hold(kaido::Context& context, std::string journal);
/// The same as a plain function, which sees the cancellation by asking.
void hold_plainly(kaido::Context& context, std::string journal);
/// Appends "started <node>", waits for the file `release` to appear, and gives the node's name.
kaido::Task<std::string> await_release(kaido::Context& context, std::string journal, std::string release);

/// A service: each worker serves an object of it.
class Tally {
 public:
  /// The sum so far.
  std::int64_t add(std::int64_t amount);
  [[nodiscard]] std::int64_t total() const;

 private:
  std::atomic<std::int64_t> total_ = 0;
};
KAIDO_SERVICE(Tally, add, total);

/// No program offers it.
int offered_by_nobody(int value);

}  // namespace kaido::test
