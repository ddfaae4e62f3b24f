/// gRPC behind the admin socket: takes connections that the acceptor let in, and asks the loop what they ask.
///
/// The only file of the daemon, with its source, that knows gRPC. Debian's gRPC 1.51 never listens here: see
/// daemon/admin/README.md for why.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "daemon/admin/loop_gate.h"
#include "daemon/admin/queries.h"

namespace kaido::daemon {

struct AdminGrpcOptions {
  std::chrono::milliseconds idle_timeout{60000};
  std::chrono::milliseconds call_timeout{10000};
  std::uint32_t tasks_max = 1000;
};

/// The most bytes of arguments that one call of an operator's may send, and of the result that it may get. Larger ones
/// are an app's business: gRPC holds each several times.
inline constexpr std::size_t kOperatorCallBytesMax = 4U << 20;

/// Threading: adopt() and stop() on the loop's thread. One thread of its own owns the gRPC server, from the first
/// connection to stop(); gRPC adds a handful, all with every signal blocked.
/// Lifetime: stop() before destruction. `queries` is not used after stop().
class AdminGrpc {
 public:
  AdminGrpc(LoopGate::Post post, AdminQueries& queries, AdminGrpcOptions options);
  ~AdminGrpc();
  AdminGrpc(const AdminGrpc&) = delete;
  AdminGrpc& operator=(const AdminGrpc&) = delete;

  /// Takes a connected, non-blocking socket and closes it when the connection ends. Does not wait for gRPC.
  void adopt(int descriptor);

  /// Cancels open calls and joins. Does not need the loop to run.
  void stop();

 private:
  void run();

  const std::shared_ptr<LoopGate> gate_;
  AdminQueries& queries_;
  const AdminGrpcOptions options_;
  std::mutex mutex_;  // a leaf: guards what the owning thread is told
  std::condition_variable changed_;
  std::vector<int> adopted_;
  bool stopping_ = false;
  std::thread thread_;  // confined to the loop's thread
};

}  // namespace kaido::daemon
