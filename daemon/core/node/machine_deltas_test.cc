// What a change in another node's account of itself costs: what the change is large, not what the node is.
#include <cstdlib>
#include <memory>
#include <new>
#include <string>

#include <gtest/gtest.h>

#include "daemon/core/node/machine_fixture.h"
#include "daemon/core/node/stranger.h"
#include "daemon/core/view/node_delta.h"

namespace {

// Work that grows with a node copies what it says of itself, or builds a list of it: bytes asked for tell, and are the
// same in each run.
std::size_t allocated = 0;

}  // namespace

void* operator new(std::size_t size) {
  allocated += size;
  void* const bytes = std::malloc(size);
  if (bytes == nullptr) throw std::bad_alloc();
  return bytes;
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  allocated += size;
  return std::malloc(size);
}
void operator delete(void* bytes) noexcept { std::free(bytes); }
void operator delete(void* bytes, std::size_t) noexcept { std::free(bytes); }

namespace kaido::daemon {
namespace {

using wire::FrameKind;

FunctionInfo numbered(std::uint64_t number) {
  FunctionInfo function = test_function("a::function::with::a::usual::name" + std::to_string(number));
  function.signature = "(string, vector<double>) -> map<string, int64>";
  return function;
}

/// A node that offers so many functions, and changes one after the other.
class Talkative {
 public:
  explicit Talkative(std::uint64_t functions) {
    a_ = &world_.start({.name = "a", .number = 1});
    stranger_ = std::make_unique<Stranger>(world_, *a_);
    stranger_->say_hello(9, {{1}, 1});
    stranger_->say(FrameKind::kWelcome);
    NodeInfo info;
    info.id = Stranger::id_of(9);
    info.life = {{1}, 1};
    info.name = "nine";
    info.version = 1;
    std::vector<FunctionInfo> offered;
    for (std::uint64_t i = 0; i < functions; ++i) offered.push_back(numbered(i));
    info.functions = std::move(offered);
    stranger_->say_info(info);
  }
  Talkative(const Talkative&) = delete;
  Talkative& operator=(const Talkative&) = delete;
  ~Talkative() { stranger_.reset(); }

  /// The bytes that the node asks for when a function is offered and another one withdrawn, on the average.
  std::size_t cost_of_changes(std::uint64_t count) {
    const std::size_t before = allocated;
    for (std::uint64_t i = 0; i < count; ++i) {
      NodeInfoDelta delta;
      delta.base_version = seen().version;
      delta.version = delta.base_version + 1;
      delta.offered = {numbered(1'000'000 + i)};
      delta.withdrawn = {numbered(i).id};
      stranger_->say_delta(delta);
    }
    return (allocated - before) / count;
  }
  [[nodiscard]] const NodeInfo& seen() const { return *a_->machine->tasks().view().nodes().back().info; }

 private:
  World world_{1};
  TestNode* a_ = nullptr;
  std::unique_ptr<Stranger> stranger_;
};

TEST(MachineDeltas, CostWhatChangedAndNotWhatTheNodeOffers) {
  Talkative small(100);
  Talkative large(2000);
  const std::size_t least = small.cost_of_changes(100);
  EXPECT_LE(large.cost_of_changes(100), least + (8U << 10));
  EXPECT_EQ(large.seen().functions.size(), 2000U);
  EXPECT_EQ(large.seen().version, 101U);
}

}  // namespace
}  // namespace kaido::daemon
