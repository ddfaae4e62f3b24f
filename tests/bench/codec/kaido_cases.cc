#include <span>
#include <string_view>
#include <tuple>

#include <kaido/codec.h>
#include <kaido/detail/buffer.h>

#include "tests/bench/codec/subject.h"
#include "tests/bench/codec/values.h"

namespace kaido::bench {
namespace {

/// As a call encodes them: into a buffer of exactly the right size.
template <class... P>
detail::Buffer encode(const P&... values) {
  detail::Buffer out;
  static_cast<void>(
      detail::Arguments<P...>::encode([&out](std::size_t size) { return out.allocate(size); }, values...));
  return out;
}

/// As a worker decodes them: into what the function is then called with.
template <class... P>
void decode(std::span<const std::byte> bytes) {
  typename detail::Arguments<P...>::Storage storage{};
  if (detail::Arguments<P...>::read(bytes, storage)) throw std::runtime_error("a codec that cannot read its own bytes");
  keep(storage);
}

void add_numbers(std::vector<CodecCase>& cases, const std::string& name, std::size_t count) {
  const Numbers numbers = make_numbers(count);
  using Doubles = std::vector<double>;
  cases.push_back(
      make_case(name + "_encode", "kaido", [numbers] { keep(encode(numbers.id, numbers.text, numbers.values)); }));
  const std::string bytes = [&] {
    const detail::Buffer buffer = encode(numbers.id, numbers.text, numbers.values);
    return std::string(reinterpret_cast<const char*>(buffer.data()), buffer.size());
  }();
  cases.push_back(make_case(name + "_decode", "kaido",
                            [bytes] { decode<std::int64_t, std::string, Doubles>(std::as_bytes(std::span(bytes))); }));
  cases.push_back(make_case(name + "_decode", "kaido-views", [bytes] {
    decode<std::int64_t, std::string_view, std::span<const double>>(std::as_bytes(std::span(bytes)));
  }));
}

template <class T>
void add_one(std::vector<CodecCase>& cases, const std::string& name, const T& value) {
  cases.push_back(make_case(name + "_encode", "kaido", [value] { keep(encode(value)); }));
  const detail::Buffer buffer = encode(value);
  const std::string bytes(reinterpret_cast<const char*>(buffer.data()), buffer.size());
  cases.push_back(make_case(name + "_decode", "kaido", [bytes] { decode<T>(std::as_bytes(std::span(bytes))); }));
}

}  // namespace

std::vector<CodecCase> kaido_cases() {
  std::vector<CodecCase> cases;
  add_numbers(cases, "small", 4);
  add_numbers(cases, "doubles", 1000);
  add_one(cases, "nested", make_order());
  add_one(cases, "map", make_table());
  return cases;
}

}  // namespace kaido::bench
