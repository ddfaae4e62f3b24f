/// A file descriptor with an owner.
#pragma once

namespace kaido::daemon {

/// Closes a descriptor when it goes.
class Descriptor final {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : value_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset(other.release());
    return *this;
  }

  [[nodiscard]] int get() const { return value_; }
  [[nodiscard]] bool valid() const { return value_ >= 0; }
  [[nodiscard]] int release();
  void reset(int value = -1);

 private:
  int value_;
};

}  // namespace kaido::daemon
