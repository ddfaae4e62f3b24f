/// One thing that the codec benchmark times: a workload, done by a subject.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace kaido::bench {

struct CodecCase {
  std::string workload;
  std::string subject;
  std::function<void(std::size_t times)> run;
};

/// Makes the compiler believe that `value` is looked at.
template <class T>
void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

template <class Body>
CodecCase make_case(std::string workload, std::string subject, Body body) {
  return {std::move(workload), std::move(subject), [body](std::size_t times) {
            for (std::size_t i = 0; i < times; ++i) body();
          }};
}

[[nodiscard]] std::vector<CodecCase> kaido_cases();
/// The least that could work: allocate and copy the bytes, in memory's own form.
[[nodiscard]] std::vector<CodecCase> memcpy_cases();
/// libprotobuf on the same schema: "protobuf" from and to the C++ values, "protobuf-wire" from and to its own filled
/// message.
[[nodiscard]] std::vector<CodecCase> protobuf_cases();
/// None where msgpack's C++ headers are not installed.
[[nodiscard]] std::vector<CodecCase> msgpack_cases();

}  // namespace kaido::bench
