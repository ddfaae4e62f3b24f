/// A function's parameters and result for programs: bytes that most of the node only carries.
#pragma once

#include <compare>
#include <memory>
#include <string>
#include <string_view>

namespace kaido::daemon {

/// The serialized google.protobuf.FileDescriptorSet of kaido.v1.Function.schema, or nothing. Copies share the bytes, so
/// that the many snapshots that name a function cost one schema.
///
/// Threading: immutable.
class Schema {
 public:
  Schema() = default;
  explicit Schema(std::string bytes) {
    if (!bytes.empty()) bytes_ = std::make_shared<const std::string>(std::move(bytes));
  }

  [[nodiscard]] std::string_view bytes() const { return bytes_ == nullptr ? std::string_view() : *bytes_; }
  [[nodiscard]] bool empty() const { return bytes_ == nullptr; }

  friend bool operator==(const Schema& a, const Schema& b) { return a.bytes_ == b.bytes_ || a.bytes() == b.bytes(); }
  friend std::strong_ordering operator<=>(const Schema& a, const Schema& b) {
    return a.bytes_ == b.bytes_ ? std::strong_ordering::equal : a.bytes() <=> b.bytes();
  }

 private:
  std::shared_ptr<const std::string> bytes_;
};

}  // namespace kaido::daemon
