#include "tests/bench/codec/subject.h"

#if __has_include(<msgpack.hpp>)

#define MSGPACK_NO_BOOST  // Debian's package of it wants another Boost than ours.
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <msgpack.hpp>

#include "tests/bench/codec/values.h"

namespace kaido::bench {
namespace {

template <class T>
void add(std::vector<CodecCase>& cases, const std::string& name, const T& value) {
  msgpack::sbuffer packed;
  msgpack::pack(packed, value);
  const std::string bytes(packed.data(), packed.size());
  cases.push_back(make_case(name + "_encode", "msgpack", [value] {
    msgpack::sbuffer out;
    msgpack::pack(out, value);
    keep(out);
  }));
  cases.push_back(make_case(name + "_decode", "msgpack", [bytes] {
    const msgpack::object_handle handle = msgpack::unpack(bytes.data(), bytes.size());
    T out;
    handle.get().convert(out);
    keep(out);
  }));
}

void add_numbers(std::vector<CodecCase>& cases, const std::string& name, std::size_t count) {
  const Numbers numbers = make_numbers(count);
  add(cases, name, std::tuple(numbers.id, numbers.text, numbers.values));
}

void add_order(std::vector<CodecCase>& cases) {
  const Order order = make_order();
  std::vector<std::tuple<std::string, std::int32_t, double>> lines;
  for (const Line& line : order.lines) lines.emplace_back(line.article, line.count, line.price);
  const Address& address = order.address;
  add(cases, "nested",
      std::tuple(order.id, order.customer, std::tuple(address.street, address.city, address.number), lines,
                 order.note));
}

}  // namespace

std::vector<CodecCase> msgpack_cases() {
  std::vector<CodecCase> cases;
  add_numbers(cases, "small", 4);
  add_numbers(cases, "doubles", 1000);
  add_order(cases);
  add(cases, "map", make_table());
  return cases;
}

}  // namespace kaido::bench

#else

namespace kaido::bench {

std::vector<CodecCase> msgpack_cases() { return {}; }

}  // namespace kaido::bench

#endif
