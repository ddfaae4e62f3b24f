// A group of calls under rules of placement, joined in the order in which they end.
#include <kaido/kaido.h>

#include <cctype>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

std::int64_t count_words(std::string_view text);  // an ordinary function
KAIDO_FUNCTION(count_words);                      // offered by any app that links this line

kaido::Task<std::int64_t> total(std::vector<std::string> chunks) {
  kaido::JoinSet<std::int64_t> set;
  for (auto& chunk : chunks)
    set.spawn(kaido::remote<count_words>().in_zone("eu-1").with_retries(3).call(std::move(chunk)));
  std::int64_t sum = 0;
  while (auto next = co_await set.join_next()) sum += next->value();
  co_return sum;
}

std::int64_t count_words(std::string_view text) {
  std::int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool is_space = std::isspace(static_cast<unsigned char>(c)) != 0;
    words += !inside && !is_space ? 1 : 0;
    inside = !is_space;
  }
  return words;
}

std::vector<std::string> read_chunks() { return {"the quick brown fox", "jumps over", "the lazy dog"}; }

int main() {
  auto runtime = kaido::Runtime::create().value();
  const std::int64_t n = runtime.block_on(total(read_chunks()));
  std::printf("%lld words\n", static_cast<long long>(n));
}
