#include "sdk/examples/report.h"

#include <algorithm>
#include <cstdio>

namespace word_count {
namespace {

constexpr std::size_t kTopWords = 10;

double milliseconds(Report::Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

struct Latency {
  double mean_ms = 0;
  double p99_ms = 0;
};

Latency summarize(std::vector<Report::Duration> samples) {
  std::sort(samples.begin(), samples.end());
  Latency latency;
  for (const Report::Duration sample : samples)
    latency.mean_ms += milliseconds(sample) / static_cast<double>(samples.size());
  latency.p99_ms = milliseconds(samples[(samples.size() * 99 + 99) / 100 - 1]);
  return latency;
}

/// As a JSON string. Bytes that are no UTF-8 cannot be in one: they become "?".
std::string quote(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') out += '\\';
    out += byte < 0x20 || byte >= 0x7f ? '?' : c;
  }
  return out + "\"";
}

}  // namespace

void Report::add(const std::string& node, Counts&& more, std::size_t piece_bytes, Duration latency) {
  for (auto& [word, count] : more) counts[word] += count;
  latencies[node].push_back(latency);
  bytes += piece_bytes;
}

std::int64_t Report::total() const {
  std::int64_t sum = 0;
  for (const auto& [word, count] : counts) sum += count;
  return sum;
}

std::vector<std::pair<std::string, std::int64_t>> Report::top(std::size_t limit) const {
  std::vector<std::pair<std::string, std::int64_t>> words(counts.begin(), counts.end());
  const auto end = words.begin() + static_cast<std::ptrdiff_t>(std::min(limit, words.size()));
  std::partial_sort(words.begin(), end, words.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  words.erase(end, words.end());
  return words;
}

std::size_t Report::calls() const {
  std::size_t sum = 0;
  for (const auto& [node, samples] : latencies) sum += samples.size();
  return sum;
}

double Report::calls_per_second() const {
  const double seconds = std::chrono::duration<double>(elapsed).count();
  return seconds > 0 ? static_cast<double>(calls()) / seconds : 0;
}

void Report::print() const {
  std::printf("%lld words, %zu different\n\nmost frequent\n", static_cast<long long>(total()), counts.size());
  for (const auto& [word, count] : top(kTopWords))
    std::printf("%10lld  %s\n", static_cast<long long>(count), word.c_str());
  std::printf("\n%-16s %8s %10s %10s\n", "node", "tasks", "mean ms", "p99 ms");
  for (const auto& [node, samples] : latencies) {
    const Latency latency = summarize(samples);
    std::printf("%-16s %8zu %10.2f %10.2f\n", node.c_str(), samples.size(), latency.mean_ms, latency.p99_ms);
  }
  std::printf("\n%zu calls in %.1f ms, %.0f calls/s\n", calls(), milliseconds(elapsed), calls_per_second());
}

void Report::print_json() const {
  std::printf("{\"total\": %lld, \"different\": %zu, \"top\": [", static_cast<long long>(total()), counts.size());
  const char* separator = "";
  for (const auto& [word, count] : top(kTopWords)) {
    std::printf("%s{\"word\": %s, \"count\": %lld}", std::exchange(separator, ", "), quote(word).c_str(),
                static_cast<long long>(count));
  }
  std::printf("], \"nodes\": [");
  separator = "";
  for (const auto& [node, samples] : latencies) {
    const Latency latency = summarize(samples);
    std::printf("%s{\"node\": %s, \"tasks\": %zu, \"mean_ms\": %.3f, \"p99_ms\": %.3f}", std::exchange(separator, ", "),
                quote(node).c_str(), samples.size(), latency.mean_ms, latency.p99_ms);
  }
  std::printf("], \"calls\": %zu, \"elapsed_ms\": %.3f, \"calls_per_second\": %.1f}\n", calls(), milliseconds(elapsed),
              calls_per_second());
}

}  // namespace word_count
