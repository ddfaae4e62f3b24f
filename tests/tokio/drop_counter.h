/// DropCounter: a value that counts how often it was destroyed (not counting what it was moved out of).
#pragma once

#include <memory>
#include <utility>

namespace kaido::parity {

class DropCounter {
 public:
  explicit DropCounter(std::shared_ptr<int> drops) noexcept : drops_(std::move(drops)) {}
  DropCounter(DropCounter&&) noexcept = default;
  DropCounter& operator=(DropCounter&&) = delete;
  ~DropCounter() {
    if (drops_) ++*drops_;
  }

 private:
  std::shared_ptr<int> drops_;
};

}  // namespace kaido::parity
