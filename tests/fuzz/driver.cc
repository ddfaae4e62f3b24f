/// The ordinary-test half of a fuzz target: replays its corpus, then seeded mutations of it for a few seconds.
///
/// With --config=fuzz the same target is linked with libFuzzer instead, which is guided by coverage and runs for as
/// long as wished. This driver only keeps every target compiled and every known input passing, on any compiler.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

constexpr std::uint64_t kSeed = 20'240'229;
constexpr std::size_t kMaxInputBytes = 1U << 16;
constexpr std::uint64_t kMaxRuns = 200'000;

Input read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read the corpus file %s\n", path);
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

/// One to eight small changes: a flipped bit, a changed byte, a cut, a repeated or a spliced part.
Input mutate(Input input, const std::vector<Input>& corpus, kaido::base::Random& random) {
  for (std::uint32_t change = 1 + random.below(8); change > 0; --change) {
    const auto at = [&] { return random.below(static_cast<std::uint32_t>(input.size())); };
    if (input.empty() || random.below(8) == 0) {
      input.insert(input.begin() + (input.empty() ? 0 : at()), static_cast<std::uint8_t>(random.next()));
      continue;
    }
    switch (random.below(5)) {
      case 0:
        input[at()] ^= static_cast<std::uint8_t>(1U << random.below(8));
        break;
      case 1:
        input[at()] = static_cast<std::uint8_t>(random.next());
        break;
      case 2:
        input.resize(at());
        break;
      case 3: {
        const Input tail(input.begin() + at(), input.end());
        input.insert(input.end(), tail.begin(), tail.end());
        break;
      }
      default: {
        const Input& other = corpus[random.below(static_cast<std::uint32_t>(corpus.size()))];
        input.resize(at());
        input.insert(input.end(), other.begin(), other.end());
        break;
      }
    }
    if (input.size() > kMaxInputBytes) input.resize(kMaxInputBytes);
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  long seconds = 5;
  std::vector<Input> corpus;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--seconds=")) {
      seconds = std::strtol(argv[i] + 10, nullptr, 10);
    } else {
      corpus.push_back(read_file(argv[i]));
    }
  }
  corpus.emplace_back();
  for (const Input& input : corpus) LLVMFuzzerTestOneInput(input.data(), input.size());
  kaido::base::Random random(kSeed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::uint64_t runs = 0;
  while (runs < kMaxRuns && std::chrono::steady_clock::now() < end) {
    const Input& from = corpus[random.below(static_cast<std::uint32_t>(corpus.size()))];
    const Input input = mutate(from, corpus, random);
    LLVMFuzzerTestOneInput(input.data(), input.size());
    ++runs;
  }
  std::printf("%zu corpus inputs and %llu mutations of them (seed %llu) passed\n", corpus.size(),
              static_cast<unsigned long long>(runs), static_cast<unsigned long long>(kSeed));
  return 0;
}
