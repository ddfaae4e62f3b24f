#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/codec/subject.h"
#include "tests/bench/codec/values.h"

namespace kaido::bench {
namespace {

/// The three in a row, in one allocation.
std::unique_ptr<std::byte[]> encode(const Numbers& numbers) {
  const std::size_t doubles = numbers.values.size() * sizeof(double);
  std::unique_ptr<std::byte[]> out(new std::byte[sizeof numbers.id + numbers.text.size() + doubles]);
  std::memcpy(out.get(), &numbers.id, sizeof numbers.id);
  std::memcpy(out.get() + sizeof numbers.id, numbers.values.data(), doubles);
  std::memcpy(out.get() + sizeof numbers.id + doubles, numbers.text.data(), numbers.text.size());
  return out;
}

Numbers decode(const std::byte* bytes, std::size_t count) {
  Numbers numbers;
  std::memcpy(&numbers.id, bytes, sizeof numbers.id);
  const auto* const doubles = reinterpret_cast<const double*>(bytes + sizeof numbers.id);
  numbers.values.assign(doubles, doubles + count);
  numbers.text.assign(reinterpret_cast<const char*>(doubles + count), 64);
  return numbers;
}

void add_numbers(std::vector<CodecCase>& cases, const std::string& name, std::size_t count) {
  const Numbers numbers = make_numbers(count);
  cases.push_back(make_case(name + "_encode", "memcpy", [numbers] { keep(encode(numbers)); }));
  const std::shared_ptr<std::byte[]> bytes = encode(numbers);
  cases.push_back(make_case(name + "_decode", "memcpy", [bytes, count] { keep(decode(bytes.get(), count)); }));
}

/// A copy of as many bytes as the encoded value has: there is no simpler form of what is not flat.
void add_block(std::vector<CodecCase>& cases, const std::string& name, std::size_t size) {
  const std::vector<std::byte> block(size);
  const auto copy = [block] {
    std::unique_ptr<std::byte[]> out(new std::byte[block.size()]);
    std::memcpy(out.get(), block.data(), block.size());
    keep(out);
  };
  cases.push_back(make_case(name + "_encode", "memcpy", copy));
  cases.push_back(make_case(name + "_decode", "memcpy", copy));
}

}  // namespace

std::vector<CodecCase> memcpy_cases() {
  constexpr std::size_t kNestedBytes = 200;
  constexpr std::size_t kTableBytes = 2400;
  std::vector<CodecCase> cases;
  add_numbers(cases, "small", 4);
  add_numbers(cases, "doubles", 1000);
  add_block(cases, "nested", kNestedBytes);
  add_block(cases, "map", kTableBytes);
  return cases;
}

}  // namespace kaido::bench
