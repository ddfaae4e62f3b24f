/// AsioExecutor: a runtime as an executor of Asio's. Includes Asio.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include <kaido/detail/task_header.h>
#include <kaido/handle.h>

#pragma GCC visibility push(default)
namespace kaido::inline abi0::detail {

/// A function posted to a runtime, as a task. An exception that leaves it ends the process, as in any handler.
template <typename F>
class FunctionCell final : public JoinCell<void> {
 public:
  FunctionCell(RuntimeCore* core, F function) : JoinCell<void>(core), function_(std::move(function)) {}
  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* cell, std::size_t size) noexcept { free_frame(cell, size); }

 protected:
  bool poll(PollContext&) noexcept override {
    F function(std::move(*function_));
    function_.reset();
    std::move(function)();
    outcome_.set_value();
    return true;
  }
  void drop_frame() noexcept override { function_.reset(); }
  void destroy() noexcept override { delete this; }

 private:
  ~FunctionCell() override = default;
  std::optional<F> function_;
};

class CoreLink;  // Refers to a runtime without keeping it.

[[nodiscard]] std::shared_ptr<CoreLink> link_to(const CoreRef& core) noexcept;
/// The runtime; null once it is gone.
[[nodiscard]] CoreRef lock_core(CoreLink& link) noexcept;
/// True on a thread that runs tasks or handlers of the runtime now.
[[nodiscard]] bool runs_on_this_thread(const CoreLink& link) noexcept;
/// The runtime's I/O loop as an execution context.
[[nodiscard]] boost::asio::execution_context& execution_context(const CoreLink& link) noexcept;

/// Satisfies Asio's executor requirements. What is posted runs as a task of the runtime; what is dispatched (and not
/// required never to block) on a thread of the runtime runs at once. After the runtime's end functions are destroyed
/// without running.
///
/// Threading: thread-safe, a value.
/// Lifetime: does not keep the runtime, neither running nor in memory: coroutines that wait in it end with it.
class AsioExecutor {
  using Blocking = boost::asio::execution::blocking_t;

 public:
  explicit AsioExecutor(const CoreRef& core) noexcept : AsioExecutor(link_to(core), false) {}

  [[nodiscard]] boost::asio::execution_context& query(boost::asio::execution::context_t) const noexcept {
    return execution_context(*link_);
  }
  [[nodiscard]] Blocking query(Blocking) const noexcept {
    return never_blocks_ ? Blocking(boost::asio::execution::blocking.never)
                         : Blocking(boost::asio::execution::blocking.possibly);
  }
  [[nodiscard]] AsioExecutor require(Blocking::never_t) const noexcept { return AsioExecutor(link_, true); }
  [[nodiscard]] AsioExecutor require(Blocking::possibly_t) const noexcept { return AsioExecutor(link_, false); }

  template <typename F>
  void execute(F&& function) const {
    using Function = std::decay_t<F>;
    if (!never_blocks_ && runs_on_this_thread(*link_)) {
      Function here(std::forward<F>(function));
      std::move(here)();
      return;
    }
    const CoreRef core = lock_core(*link_);
    if (!core) {
      const Function dropped(std::forward<F>(function));
      return;
    }
    auto* cell = new FunctionCell<Function>(core.get(), std::forward<F>(function));
    JoinHandle<void> goes_at_once(*cell);
    spawn_task(*core, *cell);
  }

  [[nodiscard]] friend bool operator==(const AsioExecutor& left, const AsioExecutor& right) noexcept {
    return left.link_ == right.link_ && left.never_blocks_ == right.never_blocks_;
  }
  [[nodiscard]] friend bool operator!=(const AsioExecutor& left, const AsioExecutor& right) noexcept {
    return !(left == right);
  }

 private:
  AsioExecutor(std::shared_ptr<CoreLink> link, bool never_blocks) noexcept
      : link_(std::move(link)), never_blocks_(never_blocks) {}

  std::shared_ptr<CoreLink> link_;
  bool never_blocks_ = false;
};

static_assert(boost::asio::execution::is_executor<AsioExecutor>::value);

}  // namespace kaido::inline abi0::detail
#pragma GCC visibility pop
