#include "daemon/telemetry/log_queue.h"

namespace kaido::daemon {

bool LogQueue::is_full(std::size_t more_bytes) const {
  if (entries_.empty()) return false;
  return entries_.size() >= bounds_.lines || bytes_ + more_bytes > bounds_.bytes;
}

void LogQueue::push(std::string line) {
  if (is_full(line.size())) {
    ++missing_;
    ++counters_.dropped;
    return;
  }
  bytes_ += line.size();
  entries_.push_back({std::exchange(missing_, 0), std::move(line)});
}

void LogQueue::add_gap(Batch& batch, std::uint64_t missing) const {
  if (missing == 0) return;
  batch.missing += missing;
  batch.text += gap_line_(missing);
}

LogQueue::Batch LogQueue::take() {
  Batch batch;
  while (!entries_.empty() &&
         (batch.lines == 0 || batch.text.size() + entries_.front().line.size() <= bounds_.batch_bytes)) {
    const Entry entry = std::move(entries_.front());
    entries_.pop_front();
    bytes_ -= entry.line.size();
    add_gap(batch, entry.missing_before);
    batch.text += entry.line;
    ++batch.lines;
  }
  // Nothing may ever follow, so the gap at the end is told with the last line.
  if (batch.lines > 0 && entries_.empty()) add_gap(batch, std::exchange(missing_, 0));
  return batch;
}

void LogQueue::lost(const Batch& batch) {
  counters_.dropped += batch.lines;
  (entries_.empty() ? missing_ : entries_.front().missing_before) += batch.lines + batch.missing;
}

}  // namespace kaido::daemon
