/// Where the machine's parts put what they want done.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <utility>

#include "daemon/core/node/ready.h"

namespace kaido::daemon {

/// Gathers the next batch while the current one is acted on.
///
/// Threading: confined to the node strand.
/// Cost: a frame is one record in a vector that keeps its memory from batch to batch.
class Outbox {
 public:
  using Field = std::pair<const char*, std::string>;

  void send(ConnectionId connection, const wire::FrameHeader& header, std::span<const std::byte> metadata,
            Payload&& payload) {
    const auto offset = static_cast<std::uint32_t>(next_.metadata_bytes.size());
    const auto size = static_cast<std::uint32_t>(metadata.size());
    if (size != 0) next_.metadata_bytes.insert(next_.metadata_bytes.end(), metadata.begin(), metadata.end());
    // Made where it stays: a record that is made aside and moved in costs as much again.
    next_.frames.emplace_back(connection, offset, size, header, std::move(payload));
  }

  Command& command(Command::Kind kind) {
    Command& added = next_.commands.emplace_back();
    added.kind = kind;
    return added;
  }
  void close(ConnectionId connection, base::Status reason) {
    Command& added = command(Command::Kind::kClose);
    added.connection = connection;
    added.status = std::move(reason);
  }

  void log(LogEvent::Level level, const char* room, const char* message, std::initializer_list<Field> fields) {
    next_.events.push_back({level, room, message, fields});
  }
  void info(const char* room, const char* message, std::initializer_list<Field> fields) {
    log(LogEvent::Level::kInfo, room, message, fields);
  }
  void warn(const char* room, const char* message, std::initializer_list<Field> fields) {
    log(LogEvent::Level::kWarn, room, message, fields);
  }
  void error(const char* room, const char* message, std::initializer_list<Field> fields) {
    log(LogEvent::Level::kError, room, message, fields);
  }

  /// The batch to act on: empty if there is nothing. The same one until advance().
  [[nodiscard]] const Ready& ready() {
    if (!is_taken_ && !next_.empty()) {
      std::swap(current_, next_);
      is_taken_ = true;
    }
    return current_;
  }
  void advance() {
    current_.clear();
    is_taken_ = false;
  }
  [[nodiscard]] bool has_ready() const { return is_taken_ ? !current_.empty() : !next_.empty(); }

 private:
  Ready next_;
  Ready current_;
  bool is_taken_ = false;
};

}  // namespace kaido::daemon
