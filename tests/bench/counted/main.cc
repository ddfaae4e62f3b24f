// Makes calls for valgrind to count. README.md says what is counted.
#include <cstdio>
#include <exception>

#include "tests/bench/counted/node_calls.h"
#include "tests/bench/counted/sdk_calls.h"

namespace {

constexpr std::uint32_t kWarmUpTurns = 32;
constexpr std::uint32_t kTurns = 128;

#if defined(__clang__)
constexpr const char* kCompiler = "clang " __clang_version__;
#else
constexpr const char* kCompiler = "g++ " __VERSION__;
#endif

}  // namespace

int main() {
  try {
    kaido::bench::count_local_calls(kWarmUpTurns, kTurns);
    kaido::bench::count_remote_calls(kWarmUpTurns, kTurns);
    kaido::bench::count_client_calls(kWarmUpTurns, kTurns);
    kaido::bench::count_worker_calls(kWarmUpTurns, kTurns);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::printf("calls %u\ncompiler %s\n", kTurns * kaido::bench::kCountedWindow, kCompiler);
  return 0;
}
