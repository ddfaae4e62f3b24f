// Whatever bytes arrive as arguments: an error or values that encode and decode again to themselves, never a crash.
#include <kaido/codec.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace {

struct Node {
  std::string name;
  std::vector<std::optional<std::int16_t>> values;
  std::array<float, 2> pair{};
  std::map<std::uint8_t, std::vector<std::string>> more;
};

using Args = kaido::detail::Arguments<bool, std::int64_t, double, std::string_view, std::span<const std::byte>, std::vector<std::int32_t>,
                                      std::span<const double>, std::vector<Node>, std::unordered_map<std::int32_t, Node>,
                                      std::chrono::milliseconds, std::span<const std::uint64_t>, std::array<std::byte, 3>>;

std::vector<std::byte> encode(const Args::Storage& storage) {
  return std::apply(
      [](const auto&... values) {
        std::vector<std::byte> out(Args::size(values...));
        Args::write(out.data(), values...);
        return out;
      },
      storage);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Args::Storage storage;
  if (const auto failure = Args::read(std::as_bytes(std::span(data, size)), storage)) {
    if (failure->reason == nullptr || failure->offset > size) std::abort();
    return 0;
  }
  // The order of an unordered map may differ from copy to copy, the size may not.
  const std::vector<std::byte> once = encode(storage);
  Args::Storage again;
  if (Args::read(once, again)) std::abort();
  if (encode(again).size() != once.size()) std::abort();
  return 0;
}
