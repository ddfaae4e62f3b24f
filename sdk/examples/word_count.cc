// Counts the words of all files of a folder by calls spread over the cluster.
//
//   word_count serve                                   offers count_piece to the node until SIGTERM
//   word_count count [--json] [--at-half CMD] DIR      counts, and says which node did how much
//
// `count` alone, without a node, counts in this process. The functions are idempotent, so losing a node midway changes
// nothing but the time.
#include <kaido/kaido.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sdk/examples/count.h"
#include "sdk/examples/report.h"

namespace word_count {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPieceBytes = 4096;
constexpr std::size_t kInFlightMax = 256;

}  // namespace

/// What a worker gives back for one piece.
struct Counted {
  std::string node;
  Counts counts;
};

Counted count_piece(kaido::Context& context, std::string_view text) {
  return Counted{std::string(context.node()), count(text)};
}
KAIDO_FUNCTION(count_piece);

namespace {

/// One piece, counted somewhere: what came back and how long it took, seen from here.
struct Timed {
  Counted counted;
  std::size_t bytes = 0;
  Clock::duration latency{};
};

kaido::Task<Timed> count_somewhere(std::string piece) {
  const auto rules = kaido::remote<count_piece>().idempotent().with_retries(20).with_wait(10s);
  const auto start = Clock::now();
  for (;;) {
    auto counted = co_await rules.call(piece);
    if (!counted && counted.error().is_rejected()) {  // Every queue is full: later.
      co_await kaido::sleep(std::max(counted.error().retry_after(), std::chrono::milliseconds(10)));
      continue;
    }
    if (!counted) throw kaido::ErrorException(std::move(counted).error());
    co_return Timed{*std::move(counted), piece.size(), Clock::now() - start};
  }
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

struct Job {
  std::filesystem::path folder;
  std::string at_half;  ///< a command that is run when half of the bytes are counted
  bool as_json = false;
};

/// Takes in the next result, and runs the command when half is done.
void account(Report& report, Timed&& timed, const Job& job, std::uintmax_t total_bytes) {
  const bool was_below = report.bytes * 2 < total_bytes;
  report.add(timed.counted.node, std::move(timed.counted.counts), timed.bytes, timed.latency);
  if (was_below && report.bytes * 2 >= total_bytes && !job.at_half.empty()) {
    if (std::system(job.at_half.c_str()) != 0) std::fprintf(stderr, "word_count: '%s' failed\n", job.at_half.c_str());
  }
}

kaido::Task<int> count_folder(Job job) {
  // This program calls and leaves the counting to workers. Held, the connection is what remote<f>() uses; without a
  // node that falls back to this process.
  const auto node = co_await kaido::NodeRuntime::connect(kaido::NodeOptions().call_only().app_name("word_count"));
  const auto files = files_of(job.folder);
  std::uintmax_t total_bytes = 0;
  for (const auto& file : files) total_bytes += std::filesystem::file_size(file);

  Report report;
  kaido::JoinSet<Timed> pieces;
  const auto start = Clock::now();
  for (const auto& file : files) {
    const std::string text = read_file(file);
    for (std::string_view rest = text; !rest.empty();) {
      const std::string_view piece = first_piece(rest, kPieceBytes);
      rest.remove_prefix(piece.size());
      pieces.spawn(count_somewhere(std::string(piece)));
      if (pieces.len() < kInFlightMax) continue;
      auto next = co_await pieces.join_next();
      account(report, std::move(*next).value(), job, total_bytes);
    }
  }
  while (auto next = co_await pieces.join_next()) account(report, std::move(*next).value(), job, total_bytes);
  report.elapsed = Clock::now() - start;
  job.as_json ? report.print_json() : report.print();
  co_return 0;
}

/// Offers this program's functions until a signal comes, then lets the running ones finish.
kaido::Task<int> serve() {
  const kaido::Result<void> served =
      co_await kaido::serve_until(kaido::shutdown_signal(), kaido::NodeOptions().app_name("word_count"));
  if (!served) std::fprintf(stderr, "word_count: %s\n", served.error().to_string().c_str());
  co_return served ? 0 : 1;
}

int usage() {
  std::fputs("usage: word_count serve\n       word_count count [--json] [--at-half CMD] DIR\n", stderr);
  return 2;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.empty()) return usage();
  if (arguments[0] == "serve") return kaido::Runtime::create().value().block_on(serve());
  if (arguments[0] != "count") return usage();
  Job job;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i] == "--json") {
      job.as_json = true;
    } else if (arguments[i] == "--at-half" && i + 1 < arguments.size()) {
      job.at_half = arguments[++i];
    } else if (job.folder.empty() && !arguments[i].starts_with("--")) {
      job.folder = arguments[i];
    } else {
      return usage();
    }
  }
  if (job.folder.empty()) return usage();
  return kaido::Runtime::create().value().block_on(count_folder(std::move(job)));
}

}  // namespace
}  // namespace word_count

int main(int argc, char** argv) {
  try {
    return word_count::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "word_count: %s\n", error.what());
    return 1;
  }
}
