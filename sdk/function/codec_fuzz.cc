// Whatever bytes arrive as arguments: an error within them, or values that encode and decode again to themselves; never
// a crash. All kinds of types at once: a field number chooses the type.
#include <kaido/codec.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "sdk/function/codec_example.pb.h"
#include "sdk/function/codec_example_lite.pb.h"
#include "sdk/function/codec_zoo.h"

namespace {

using namespace kaido::codec_zoo;  // NOLINT(google-build-using-namespace): the types under test
using kaido::detail::Arguments;

using Numbers =
    Arguments<bool, std::int64_t, double, float, char, std::int8_t, std::uint16_t, Colour, Plain,
              std::chrono::milliseconds, std::chrono::system_clock::time_point, std::chrono::duration<double>, Money>;
using Blocks = Arguments<std::string, std::string_view, std::span<const std::byte>, std::vector<std::uint8_t>,
                         std::array<std::byte, 3>, std::filesystem::path>;
using Lists = Arguments<std::vector<std::int32_t>, std::vector<double>, std::vector<bool>, std::deque<std::string>,
                        std::list<float>, std::set<std::int64_t>, std::unordered_set<std::string>,
                        std::array<std::int16_t, 2>, std::span<const double>, std::span<const std::uint64_t>,
                        std::span<const std::string>, std::vector<std::string_view>,
                        std::vector<std::span<const std::byte>>, std::vector<std::vector<int>>, std::vector<Money>>;
using Containers =
    Arguments<std::map<std::string, Shape>, std::unordered_map<std::int32_t, Point>, std::map<double, std::vector<int>>,
              std::optional<int>, std::optional<std::vector<std::string>>, std::unique_ptr<Shape>,
              std::variant<std::monostate, int, std::string, Shape>, std::vector<std::variant<Point, double>>>;
using Messages = Arguments<Point, Shape, Empty, Tree, Wide, Polygon, std::pair<int, std::string>,
                           std::tuple<Tree, std::tuple<>>, std::vector<std::optional<Tree>>>;
using Generated = Arguments<kaido::codec_example::Person, std::vector<kaido::codec_example::Person>,
                            std::optional<kaido::codec_example::Small>, std::map<int, kaido::codec_example::Small>,
                            std::variant<int, kaido::codec_example::Person>>;
using LeftOut =
    Arguments<std::optional<int>, std::optional<kaido::detail::SpanArgument<double>>, std::optional<std::string_view>>;

template <class Args>
std::vector<std::byte> encode(const typename Args::Storage& storage) {
  return std::apply(
      [](const auto&... values) {
        std::vector<std::byte> out;
        const auto allocate = [&out](std::size_t size) {
          out.resize(size);
          return out.data();
        };
        const auto written = Args::encode(allocate, values...);
        if (written != out.size()) std::abort();
        return out;
      },
      storage);
}

template <class Args, bool kEncode = true>
void check(std::span<const std::byte> data) {
  typename Args::Storage storage;
  if (const auto failure = Args::read(data, storage)) {
    if (failure->reason == nullptr || failure->offset > data.size()) std::abort();
    return;
  }
  if constexpr (kEncode) {
    // The order of an unordered container may differ from copy to copy, the size may not.
    const std::vector<std::byte> once = encode<Args>(storage);
    typename Args::Storage again;
    if (Args::read(once, again)) std::abort();
    if (encode<Args>(again).size() != once.size()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0] % 7) {
    case 0:
      check<Numbers>(bytes);
      break;
    case 1:
      check<Blocks>(bytes);
      break;
    case 2:
      check<Lists>(bytes);
      break;
    case 3:
      check<Containers>(bytes);
      break;
    case 4:
      check<Messages>(bytes);
      break;
    case 5:
      check<LeftOut, false>(bytes);
      break;
    case 6:
      check<Generated>(bytes);
      break;
  }
  return 0;
}
