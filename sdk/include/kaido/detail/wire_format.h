/// Protobuf's wire format at its lowest level: varints, tags, and a bounds-checked reader.
///
/// Internal to kaido/codec.h. The format is protobuf's, so that every function has a schema that other languages speak;
/// the code is ours, so that an argument goes from the C++ object to the frame in one pass and without reflection.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

static_assert(std::endian::native == std::endian::little, "Kaido copies fixed-width values as they lie in memory");

enum class WireType : std::uint8_t {
  kVarint = 0,
  kFixed64 = 1,
  kLength = 2,
  kGroupBegin = 3,
  kGroupEnd = 4,
  kFixed32 = 5,
};

/// Ceiling of the number of bits over seven, without a division: what protobuf itself computes.
[[nodiscard]] constexpr std::size_t varint_size(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) * 9 + 64) / 64;
}

inline std::byte* write_varint(std::byte* at, std::uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<std::byte>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<std::byte>(value);
  return at;
}

/// Copies; unlike memcpy, a null source of no bytes is allowed.
inline std::byte* write_bytes(std::byte* at, const void* from, std::size_t count) {
  if (count != 0) std::memcpy(at, from, count);
  return at + count;
}

[[nodiscard]] constexpr std::uint64_t tag_of(std::uint32_t number, WireType type) {
  return static_cast<std::uint64_t>(number) << 3 | static_cast<std::uint64_t>(type);
}

/// How many messages (and skipped groups) may stand in one another: libprotobuf's own default, so that both accept the
/// same. More would need a larger stack in everybody who reads; less would refuse what other languages send.
inline constexpr int kMaxMessageDepth = 100;

/// The body sizes of the messages that stand in others, in the order in which they are written: noted when all is
/// measured, so that writing measures nothing again, and what contains itself costs no more than its length. Types that
/// do not contain themselves do without (a null pointer): each level is measured again where it is written, and there
/// are as many as the type has.
class NestedSizes {
 public:
  static constexpr std::size_t kTooDeep = ~std::size_t{0};

  /// Measuring: a message begins. Its place, for end(); or kTooDeep: pass over it.
  [[nodiscard]] std::size_t begin() {
    is_too_deep_ = is_too_deep_ || depth_ == kMaxMessageDepth;
    if (depth_ == kMaxMessageDepth) return kTooDeep;
    ++depth_;
    sizes_.push_back(0);
    return sizes_.size() - 1;
  }
  void end(std::size_t place, std::size_t size) {
    --depth_;
    sizes_[place] = size;
  }
  [[nodiscard]] bool is_too_deep() const { return is_too_deep_; }
  /// Of how many messages.
  [[nodiscard]] std::size_t count() const { return sizes_.size(); }

  /// Writing: the size of the next message.
  [[nodiscard]] std::size_t next() { return sizes_[next_++]; }

 private:
  std::vector<std::size_t> sizes_;
  std::size_t next_ = 0;
  int depth_ = 0;
  bool is_too_deep_ = false;
};

/// Where decoding stopped and why. `field` is the outermost field, which at the top is the parameter, from 1.
struct DecodeFailure {
  const char* reason = nullptr;
  std::size_t offset = 0;
  std::uint32_t field = 0;
};

/// A cursor over received bytes. Every read is checked against the end of the enclosing message; the first failure
/// stays. A reader that failed returns false from every call. What is rare is not inlined: every function has code of
/// its own that reads its arguments, and its size is compile time.
class Decoder {
 public:
  explicit Decoder(std::span<const std::byte> bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  [[nodiscard]] bool done() const { return at_ == end_; }
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] const DecodeFailure& failure() const { return failure_; }

  /// Always false, so that a reader can end with `return decoder.fail(...)`.
  [[gnu::noinline, gnu::cold]] bool fail(const char* reason) {
    if (failure_.reason == nullptr) failure_ = {reason, static_cast<std::size_t>(at_ - begin_), 0};
    return false;
  }
  /// Called on the way out of nested messages: the outermost field wins.
  void failed_in(std::uint32_t field) { failure_.field = field; }

  bool read_varint(std::uint64_t& value) {
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) {
      value = static_cast<std::uint8_t>(*at_++);
      return true;
    }
    return read_long_varint(value);
  }

  bool read_tag(std::uint32_t& number, WireType& type) {
    std::uint64_t tag = 0;
    if (at_ != end_ && static_cast<std::uint8_t>(*at_) < 0x80) {
      tag = static_cast<std::uint8_t>(*at_++);
    } else if (!read_long_varint(tag)) {
      return false;
    } else if (tag > 0xffff'ffffU) {
      return fail("a field number is out of range");
    }
    if (tag < 8) return fail("a field number is out of range");
    number = static_cast<std::uint32_t>(tag) >> 3;
    type = static_cast<WireType>(tag & 7);
    return true;
  }

  /// A value of fixed width, in place.
  bool read_fixed(void* out, std::size_t width) {
    if (left() < width) return fail("a fixed-width value is cut off");
    std::memcpy(out, at_, width);
    at_ += width;
    return true;
  }

  /// A length and that many bytes.
  bool read_block(std::span<const std::byte>& block) {
    std::uint64_t length = 0;
    if (!read_varint(length)) return false;
    if (length > left()) return fail("a length exceeds the bytes that are left");
    block = {at_, static_cast<std::size_t>(length)};
    at_ += length;
    return true;
  }

  /// Reads a length and runs `body` with the end moved to that length's end; `body` must read until done().
  template <class Body>
  bool read_within(Body&& body) {
    std::uint64_t length = 0;
    if (!read_varint(length)) return false;
    if (length > left()) return fail("a length exceeds the bytes that are left");
    const std::byte* const outer_end = end_;
    end_ = at_ + length;
    const bool good = body();
    end_ = outer_end;
    return good;
  }

  /// The same for a message within a message.
  template <class Body>
  bool read_nested(Body&& body) {
    if (depth_ == kMaxMessageDepth) return fail("messages are nested too deeply");
    ++depth_;
    const bool good = read_within(body);
    --depth_;
    return good;
  }

  /// All that is left, taken at once.
  [[nodiscard]] std::span<const std::byte> rest() {
    const std::span<const std::byte> all{at_, end_};
    at_ = end_;
    return all;
  }

  /// How many varints begin and end in what is left: each has exactly one byte without the continuation bit.
  [[nodiscard]] std::size_t count_varints() const {
    std::size_t count = 0;
    for (const std::byte* byte = at_; byte != end_; ++byte) count += static_cast<std::uint8_t>(*byte) < 0x80;
    return count;
  }

  /// An unknown field, or one whose wire type is not the expected one: protobuf's rule is to pass over both.
  [[gnu::noinline, gnu::cold]] bool skip(std::uint32_t number, WireType type) {
    std::uint64_t ignored = 0;
    std::span<const std::byte> block;
    switch (type) {
      case WireType::kVarint:
        return read_varint(ignored);
      case WireType::kFixed64:
        return read_fixed(&ignored, 8);
      case WireType::kFixed32:
        return read_fixed(&ignored, 4);
      case WireType::kLength:
        return read_block(block);
      case WireType::kGroupBegin:
        return skip_group(number);
      case WireType::kGroupEnd:
        return fail("a group ends that did not begin");
    }
    return fail("an unknown wire type");
  }

 private:
  [[gnu::noinline]] bool read_long_varint(std::uint64_t& value) {
    std::uint64_t result = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == end_) return fail("a varint is cut off");
      const auto byte = static_cast<std::uint8_t>(*at_++);
      // The tenth byte has room for one bit; what protobuf does with more is to drop it.
      if (shift < 64) result |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        value = result;
        return true;
      }
    }
    return fail("a varint is longer than ten bytes");
  }

  [[gnu::noinline, gnu::cold]] bool skip_group(std::uint32_t number) {
    if (depth_ == kMaxMessageDepth) return fail("groups are nested too deeply");
    ++depth_;
    while (!done()) {
      std::uint32_t inner = 0;
      WireType type{};
      if (!read_tag(inner, type)) return false;
      if (type == WireType::kGroupEnd) {
        --depth_;
        return inner == number || fail("a group ends under another number");
      }
      if (!skip(inner, type)) return false;
    }
    return fail("a group is cut off");
  }

  const std::byte* begin_;
  const std::byte* at_;
  const std::byte* end_;
  int depth_ = 0;
  DecodeFailure failure_;
};

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
