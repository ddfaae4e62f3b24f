/// PendingCall: one call on its way, as both sides of the wait see it. Backend: who carries calls out.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <kaido/detail/buffer.h>
#include <kaido/detail/chrono.h>
#include <kaido/detail/function_facts.h>
#include <kaido/detail/waker.h>
#include <kaido/error.h>
#include <kaido/placement.h>
#include <kaido/trace_context.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0 {

/// What a distributed runtime is doing, at one moment.
struct DistributedMetrics {
  std::size_t calls_in_flight = 0;    ///< calls of this program that are under way
  std::size_t calls_waiting = 0;      ///< that wait in this program, for the node's credit or for a connection
  std::size_t functions_running = 0;  ///< functions of this program that run for the node
  std::uint64_t late_results = 0;     ///< results so far that nobody waited for any more
};

namespace detail {

/// A function as its callers know it: its name and schema, not its code, which another program may have alone.
///
/// Lifetime: as long as the program; connections remember it.
struct CallTarget : FunctionFacts {
  enum class Kind : std::uint8_t {
    kFunction,  ///< by its declaration
    kMethod,    ///< by its class's declaration
    kName,      ///< by name and stated signature
  };

  Kind kind = Kind::kFunction;
  /// A small number of its own, given at its first call (0: none yet), so that a connection finds what it has prepared
  /// for the function by index.
  std::atomic<std::uint32_t> index{0};

  constexpr CallTarget(const FunctionFacts& facts, Kind target_kind) : FunctionFacts(facts), kind(target_kind) {}

  [[nodiscard]] std::uint32_t dense_index() {
    const std::uint32_t known = index.load(std::memory_order_relaxed);
    return known != 0 ? known : assign_index();
  }

 private:
  std::uint32_t assign_index();
};

/// The target of calls by name, one for each name and signature. A look-up, and kept for the rest of the program: make
/// a builder once and call it often, and take no names that users invent. Threading: thread-safe.
[[nodiscard]] CallTarget& named_target(std::string_view name, std::uint64_t fingerprint, const SignatureSchema& schema);

class Backend;

/// Threading: `is_done` may be read at any time; until it is set, everything below "in flight" belongs to the backend
/// and its lock, afterwards to the waiting task. What is above it is set before start() and then constant. Lifetime:
/// pinned once started; the owner calls Backend::drop() before it destroys a started call that is not done.
struct PendingCall {
  explicit PendingCall(CallTarget& call_target) noexcept : target(&call_target) {}
  PendingCall(PendingCall&& other) noexcept
      : target(other.target),
        placement(std::move(other.placement)),
        trace(other.trace),
        arguments(std::move(other.arguments)) {}
  PendingCall& operator=(PendingCall&&) = delete;

  CallTarget* target;
  std::shared_ptr<const PlacementRules> placement;  ///< null: the default one
  TraceContext trace;
  Buffer arguments;

  std::atomic<bool> is_done{false};

  // In flight.
  Waker waker;
  std::optional<Error> error;                        ///< set before is_done; nothing: there is a result
  std::chrono::steady_clock::time_point deadline{};  ///< zero: none
  std::uint64_t stream_offset = 0;  ///< where in the output its frame begins; tells whether any of it was sent
  static constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};
  std::uint32_t slot = kNoSlot;  ///< of the session's table, while it is in flight there
  bool is_waiting = false;       ///< for credit or for a connection, in the list below
  PendingCall* previous = nullptr;
  PendingCall* next = nullptr;
  std::shared_ptr<void> running;  ///< of the local backend: the execution
  Backend* carrier = nullptr;     ///< of a backend that hands calls to others: who has it
  std::shared_ptr<const void> large_owner;
  std::span<const std::byte> large;

  // The result as it came. The waiting task decodes it, outside of every lock: what users do in their types' codecs is
  // their call's time and nobody else's. A small one takes the arguments' place, a large one is kept where it lies.
  void set_result(Buffer&& bytes) noexcept { arguments = std::move(bytes); }
  void copy_result(std::span<const std::byte> bytes) {
    std::byte* const at = arguments.allocate(bytes.size());
    if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  }
  void set_result(std::shared_ptr<const void> owner, std::span<const std::byte> bytes) noexcept {
    large_owner = std::move(owner);
    large = bytes;
  }
  [[nodiscard]] std::span<const std::byte> result() const noexcept {
    return large_owner != nullptr ? large : arguments.bytes();
  }
};

/// Where calls go: this process (LocalRuntime) or the node (NodeRuntime).
///
/// Threading: thread-safe.
class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend() = default;

  /// Takes the call up. It completes by is_done and a wake of `waker`, possibly before start() returns.
  virtual void start(PendingCall& call, Waker waker) = 0;
  /// The task polls again before completion: replaces the waker; false if the call is done meanwhile.
  virtual bool set_waker(PendingCall& call, const PollContext& context) = 0;
  /// The caller has lost interest: the call is cancelled, and not touched any more when this returns.
  virtual void drop(PendingCall& call) noexcept = 0;

  [[nodiscard]] virtual std::string node_name() const = 0;
  [[nodiscard]] virtual DistributedMetrics metrics() const = 0;
  /// `self` without a share in keeping it open, for who may outlive its owners.
  [[nodiscard]] virtual std::shared_ptr<Backend> unowning(const std::shared_ptr<Backend>& self) { return self; }

  /// Its runtime ends: everything under way fails, nothing new is taken.
  virtual void close() noexcept = 0;
};

/// The backend of the current runtime, made at its first use: the node if one can be reached (KAIDO_SOCKET, else the
/// system's default socket), else this process. Throws std::logic_error outside a runtime.
[[nodiscard]] std::shared_ptr<Backend> current_backend();

}  // namespace detail
}  // namespace kaido::inline abi0
#pragma GCC visibility pop
