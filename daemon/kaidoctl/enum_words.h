/// The states of admin.proto as words for scripts: "lost" where protobuf's JSON says "NODE_STATE_LOST".
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <google/protobuf/message.h>

namespace kaido::daemon {

/// The same message, of a type whose enum values are called by lower-case words without their enum's name in front.
/// Messages of other packages than ours are copied as they are.
class WordedMessage {
 public:
  explicit WordedMessage(const google::protobuf::Message& message);
  ~WordedMessage();
  WordedMessage(const WordedMessage&) = delete;
  WordedMessage& operator=(const WordedMessage&) = delete;

  [[nodiscard]] const google::protobuf::Message& operator*() const;

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

/// "NodeState", "NODE_STATE_LOST" → "lost".
[[nodiscard]] std::string enum_word(std::string_view enum_name, std::string_view value_name);

}  // namespace kaido::daemon
