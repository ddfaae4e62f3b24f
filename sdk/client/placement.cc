#include <kaido/placement.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include <kaido/codec.h>
#include <kaido/detail/pending_call.h>
#include <kaido/detail/wire_format.h>

#include "sdk/function/text.h"

namespace kaido::inline abi0::detail {

namespace {

constexpr std::uint32_t kKey = 1;    // of an entry of any map
constexpr std::uint32_t kValue = 2;  // the same

std::size_t block_size(std::uint32_t number, std::size_t size) {
  return varint_size(tag_of(number, WireType::kLength)) + varint_size(size) + size;
}

std::byte* write_block_head(std::byte* at, std::uint32_t number, std::size_t size) {
  return write_varint(write_varint(at, tag_of(number, WireType::kLength)), size);
}

std::byte* write_block(std::byte* at, std::uint32_t number, std::string_view block) {
  return write_bytes(write_block_head(at, number, block.size()), block.data(), block.size());
}

/// Makes `size` bytes of what stands at `begin` and has `old_size`.
std::byte* make_room(std::string& bytes, std::size_t begin, std::size_t old_size, std::size_t size) {
  constexpr std::size_t kFewRules = 64;  // What is more than std::string has without an allocation takes one as a rule.
  const std::size_t needed = bytes.size() - old_size + size;
  if (needed > bytes.capacity()) bytes.reserve(std::max(kFewRules, needed));
  bytes.replace(begin, old_size, size, '\0');
  return reinterpret_cast<std::byte*>(bytes.data() + begin);
}

/// Goes through the fields of a message that this file has written, and so checks nothing: numbers, and blocks (texts,
/// and entries, which have a key and a value).
class FieldCursor {
 public:
  explicit FieldCursor(std::string_view message) : at_(message.data()), end_(at_ + message.size()) {}

  /// False at the end.
  bool next() {
    if (at_ == end_) return false;
    begin_ = at_;
    const std::uint64_t tag = read_varint();
    number_ = static_cast<std::uint32_t>(tag >> 3);
    value_ = read_varint();
    if (static_cast<WireType>(tag & 7) == WireType::kLength) at_ += value_;
    return true;
  }

  [[nodiscard]] std::uint32_t number() const { return number_; }
  [[nodiscard]] std::uint64_t value() const { return value_; }
  [[nodiscard]] std::string_view block() const { return {at_ - value_, value_}; }
  [[nodiscard]] std::string_view whole() const { return {begin_, static_cast<std::size_t>(at_ - begin_)}; }

 private:
  std::uint64_t read_varint() {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<std::uint8_t>(*at_++);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }

  const char* at_;
  const char* end_;
  const char* begin_ = nullptr;
  std::uint32_t number_ = 0;
  std::uint64_t value_ = 0;
};

std::string_view text_of(std::string_view entry, std::uint32_t number) {
  FieldCursor cursor(entry);
  while (cursor.next()) {
    if (cursor.number() == number) return cursor.block();
  }
  return {};
}

/// What texts can be wrong, and how to speak of them.
struct TextField {
  PlacementField field;
  std::string_view noun;
  bool has_keys;
};
constexpr TextField kTextFields[] = {
    {PlacementField::kNodeName, "node", false},
    {PlacementField::kTags, "tag", true},
};

std::optional<std::string> problem_of(const TextField& field, std::string_view text) {
  const std::string noun(field.noun);
  if (!field.has_keys) return name_problem("the " + noun, text);
  const std::string_view key = text_of(text, kKey);
  const std::string_view value = text_of(text, kValue);
  if (auto problem = name_problem("the " + noun, key)) return problem;
  if (value.empty()) return std::nullopt;
  return name_problem("the value of " + noun + " '" + std::string(key) + "',", value);
}

}  // namespace

void PlacementRules::set(PlacementField field, std::uint64_t number) {
  const std::uint64_t tag = tag_of(static_cast<std::uint32_t>(field), WireType::kVarint);
  std::byte* const at = replace(field, nullptr, number == 0 ? 0 : varint_size(tag) + varint_size(number));
  if (number != 0) write_varint(write_varint(at, tag), number);
}

void PlacementRules::set(PlacementField field, std::string_view text) {
  const auto own_number = static_cast<std::uint32_t>(field);
  std::byte* const at = replace(field, nullptr, text.empty() ? 0 : block_size(own_number, text.size()));
  if (!text.empty()) write_block(at, own_number, text);
}

void PlacementRules::set(PlacementField field, std::string_view key, std::string_view value) {
  const auto own_number = static_cast<std::uint32_t>(field);
  const std::size_t entry_size = block_size(kKey, key.size()) + block_size(kValue, value.size());
  std::byte* const at = replace(field, &key, block_size(own_number, entry_size));
  write_block(write_block(write_block_head(at, own_number, entry_size), kKey, key), kValue, value);
}

/// Makes room for what is now said of the field, or of the key in it: where something was said before, else where it
/// belongs.
std::byte* PlacementRules::replace(PlacementField field, const std::string_view* key, std::size_t size) {
  const auto wanted = static_cast<std::uint32_t>(field);
  std::size_t begin = bytes_.size();
  std::size_t old_size = 0;
  for (FieldCursor cursor(bytes_); cursor.next();) {
    if (cursor.number() < wanted) continue;
    const bool is_field = cursor.number() == wanted;
    const int order = is_field && key != nullptr ? text_of(cursor.block(), kKey).compare(*key) : 0;
    if (order < 0) continue;
    begin = static_cast<std::size_t>(cursor.whole().data() - bytes_.data());
    if (is_field && order == 0) old_size = cursor.whole().size();
    break;
  }
  hash_.store(0, std::memory_order_relaxed);
  return make_room(bytes_, begin, old_size, size);
}

std::uint64_t PlacementRules::number(PlacementField field) const noexcept {
  for (FieldCursor cursor(bytes_); cursor.next();) {
    if (cursor.number() == static_cast<std::uint32_t>(field)) return cursor.value();
  }
  return 0;
}

std::uint64_t PlacementRules::hash() const noexcept {
  std::uint64_t known = hash_.load(std::memory_order_relaxed);
  if (known == 0) {
    known = hash64(bytes_);
    hash_.store(known, std::memory_order_relaxed);
  }
  return known;
}

void PlacementRules::append_to(std::string& message, std::uint32_t number) const {
  write_block(make_room(message, message.size(), 0, block_size(number, bytes_.size())), number, bytes_);
}

std::optional<std::string> PlacementRules::problem() const {
  for (FieldCursor cursor(bytes_); cursor.next();) {
    for (const TextField& field : kTextFields) {
      if (cursor.number() != static_cast<std::uint32_t>(field.field)) continue;
      if (auto problem = problem_of(field, cursor.block())) return problem;
    }
  }
  return std::nullopt;
}

PlacementRules& own_rules(std::shared_ptr<PlacementRules>& rules) {
  if (rules == nullptr) {
    rules = std::make_shared<PlacementRules>();
  } else if (rules.use_count() > 1 || rules->is_in_use()) {
    rules = std::make_shared<PlacementRules>(*rules);
  }
  return *rules;
}

std::optional<Duration> CallLimits::left() const noexcept {
  std::optional<Duration> left;
  if (timeout != Duration::max()) left = timeout;
  if (deadline != std::chrono::steady_clock::time_point::max()) {
    const Duration until = deadline - std::chrono::steady_clock::now();
    left = left ? std::min(*left, until) : until;
  }
  return left;
}

std::uint32_t CallTarget::assign_index() {
  static std::atomic<std::uint32_t> last{0};
  std::uint32_t expected = 0;
  const std::uint32_t fresh = last.fetch_add(1, std::memory_order_relaxed) + 1;
  // Another thread may have been first; its number stays, ours is never used.
  return index.compare_exchange_strong(expected, fresh, std::memory_order_relaxed) ? fresh : expected;
}

}  // namespace kaido::inline abi0::detail
