#include "sdk/client/default_backend.h"

#include <atomic>
#include <mutex>
#include <unordered_map>
#include <utility>

#include <kaido/distributed_handle.h>
#include <kaido/local_runtime.h>

#include "sdk/client/keeper.h"
#include "sdk/client/local_backend.h"
#include "sdk/client/node_connection.h"
#include "sdk/client/notice.h"
#include "sdk/client/socket_path.h"
#include "sdk/client/switching_backend.h"
#include "sdk/function/function_table.h"
#include "sdk/runtime/thread_state.h"

namespace kaido::inline abi0::detail {
namespace {

/// One entry per runtime, from its first call until its end.
///
/// Threading: thread-safe. `version` grows when an entry goes, so that threads can remember what they found.
class Defaults {
 public:
  [[nodiscard]] std::shared_ptr<Backend> find(RuntimeCore* core) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(core);
    return found == entries_.end() ? nullptr : found->second.backend.lock();
  }
  /// What stands there afterwards: `backend`, or what was there before. The first entry of a runtime gets a keeper.
  std::shared_ptr<Backend> add(const Handle& handle, const std::shared_ptr<Backend>& backend, bool is_owner) {
    RuntimeCore* const core = handle.core().get();
    bool is_first = false;
    {
      const std::lock_guard lock(mutex_);
      auto [at, inserted] = entries_.try_emplace(core);
      is_first = inserted;
      if (auto standing = at->second.backend.lock()) return standing;
      at->second.backend = backend;
      if (is_owner) at->second.owned = backend;
      version_.fetch_add(1, std::memory_order_release);
    }
    if (is_first) {
      const CurrentTaskScope nobody(nullptr);  // It outlives the function that may make the first call.
      static_cast<void>(handle.spawn(keep(AtEnd([this, core] { remove(core); }))));
    }
    return backend;
  }
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

 private:
  struct Entry {
    std::weak_ptr<Backend> backend;
    std::shared_ptr<Backend> owned;  ///< of one that was made here
  };

  void remove(RuntimeCore* core) {
    Entry entry;  // Ends outside the lock: closing a connection wakes tasks.
    {
      const std::lock_guard lock(mutex_);
      const auto found = entries_.find(core);
      if (found == entries_.end()) return;
      entry = std::move(found->second);
      entries_.erase(found);
      version_.fetch_add(1, std::memory_order_release);
    }
    if (const auto backend = entry.backend.lock()) backend->close();
  }

  std::mutex mutex_;
  std::unordered_map<RuntimeCore*, Entry> entries_;
  std::atomic<std::uint64_t> version_{1};
};

Defaults& defaults() {
  static Defaults* const instance = new Defaults();  // Never destroyed: runtimes may end after static objects do.
  return *instance;
}

void say_local(const std::string& path) {
  static std::once_flag said;
  std::call_once(said, [&path] {
    say_notice(
        "there is no node at " + path +
        ": functions run in this process until one is there (KAIDO_SOCKET names a node, KAIDO_LOCAL=always looks "
        "for none, KAIDO_LOCAL=quiet silences this)");
  });
}

/// Fails every call: what cannot be offered must not be half offered.
class FailedBackend final : public Backend {
 public:
  explicit FailedBackend(Error error) : error_(std::move(error)) {}
  void start(PendingCall& call, Waker waker) override {
    call.error = error_;
    call.is_done.store(true, std::memory_order_release);
    waker.wake();
  }
  bool set_waker(PendingCall&, const PollContext&) override { return false; }
  void drop(PendingCall&) noexcept override {}
  [[nodiscard]] std::string node_name() const override { return {}; }
  [[nodiscard]] DistributedMetrics metrics() const override { return {}; }
  void close() noexcept override {}

 private:
  const Error error_;
};

std::shared_ptr<Backend> make_backend(const Handle& handle) {
  const SocketPath socket = find_socket();
  if (!socket.is_explicit && local_mode() == "always") return std::make_shared<LocalBackend>(handle);
  auto functions = FunctionTable::collect();
  if (!functions) return std::make_shared<FailedBackend>(std::move(functions).error());
  auto connection = NodeConnection::create(handle, NodeOptions(), *std::move(functions));
  // Somebody else's folder is no missing node: calls fail and say so.
  if (socket.is_explicit || !connection->failure() || socket_problem(socket.path)) return connection;
  say_local(socket.path);
  return std::make_shared<SwitchingBackend>(std::make_shared<LocalBackend>(handle), std::move(connection));
}

}  // namespace

void offer_default_backend(const Handle& handle, const std::shared_ptr<Backend>& backend) {
  defaults().add(handle, backend, /*is_owner=*/false);
}

std::shared_ptr<Backend> current_backend() {
  struct Known {
    RuntimeCore* core = nullptr;
    std::uint64_t version = 0;
    std::weak_ptr<Backend> backend;
  };
  static thread_local Known known;
  RuntimeCore& core = current_core();
  const std::uint64_t version = defaults().version();
  if (known.core == &core && known.version == version) {
    if (auto backend = known.backend.lock()) return backend;
  }
  auto backend = defaults().find(&core);
  if (backend == nullptr) {
    const Handle handle{CoreRef(&core)};
    backend = defaults().add(handle, make_backend(handle), /*is_owner=*/true);
  }
  known = {&core, version, backend};
  return backend;
}

}  // namespace kaido::inline abi0::detail

namespace kaido::inline abi0 {

LocalRuntime::LocalRuntime() : LocalRuntime(Handle::current()) {}
LocalRuntime::LocalRuntime(Handle handle) : backend_(std::make_shared<detail::LocalBackend>(std::move(handle))) {}
std::string LocalRuntime::node_name() const { return backend_->node_name(); }
DistributedMetrics LocalRuntime::metrics() const { return backend_->metrics(); }
DistributedHandle LocalRuntime::handle() const { return {backend_->runtime(), backend_}; }
std::shared_ptr<detail::Backend> LocalRuntime::backend() const { return backend_; }

DistributedHandle DistributedHandle::current() { return {Handle::current(), detail::current_backend()}; }
std::optional<DistributedHandle> DistributedHandle::try_current() {
  if (detail::try_current_core() == nullptr) return std::nullopt;
  return current();
}

}  // namespace kaido::inline abi0
