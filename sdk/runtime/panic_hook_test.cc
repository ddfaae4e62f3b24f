// What happens to an exception that left a task when nobody holds its handle.
#include <kaido/panic_hook.h>

#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <kaido/join_handle.h>
#include <kaido/join_set.h>
#include <kaido/runtime.h>
#include <kaido/spawn.h>
#include <kaido/task_builder.h>
#include <kaido/time.h>

namespace kaido {
namespace {

Task<int> failing(std::string text) {
  throw std::runtime_error(text);
  co_return 0;
}

/// Collects what the hook is told while it lives.
class Lost : public ::testing::Test {
 protected:
  struct Report {
    TaskId id;
    std::uint32_t line = 0;
    std::string name;
    std::string text;
    std::optional<TaskId> current;
  };

  Lost() {
    set_panic_hook([this](const TaskMeta& task, const Error& error) {
      const std::lock_guard lock(mutex_);
      reports_.push_back(
          {task.id(), task.spawned_at().line(), std::string(task::name()), error.message(), task::try_id()});
    });
  }
  ~Lost() override { set_panic_hook({}); }

  [[nodiscard]] std::vector<Report> reports() {
    const std::lock_guard lock(mutex_);
    return reports_;
  }

  Runtime runtime_ = RuntimeBuilder::new_current_thread().enable_all().build().value();

 private:
  std::mutex mutex_;
  std::vector<Report> reports_;
};

TEST_F(Lost, ADetachedTaskThatThrowsIsTold) {
  TaskId id;
  std::uint32_t line = 0;
  runtime_.block_on([&]() -> Task<void> {
    line = __LINE__ + 1;
    auto handle = task::Builder().name("upload").spawn(failing("no such file"));
    id = handle.id();
    {
      const auto dropped = std::move(handle);
    }
    co_await yield_now();
  });
  ASSERT_EQ(reports().size(), 1U);
  const Report report = reports().front();
  EXPECT_EQ(report.id, id);
  EXPECT_EQ(report.line, line);
  EXPECT_EQ(report.name, "upload");
  EXPECT_EQ(report.text, "no such file");
  EXPECT_EQ(report.current, id);
}

TEST_F(Lost, AHandleThatIsDroppedAfterTheEndTells) {
  runtime_.block_on([]() -> Task<void> {
    auto handle = spawn(failing("late"));
    while (!handle.is_finished()) co_await yield_now();
  });
  ASSERT_EQ(reports().size(), 1U);
  EXPECT_EQ(reports().front().text, "late");
}

TEST_F(Lost, AnErrorThatSomebodyTakesIsNot) {
  runtime_.block_on([]() -> Task<void> {
    auto handle = spawn(failing("taken"));
    const auto result = co_await handle;
    EXPECT_TRUE(result.has_error());
    JoinSet<int> set;
    set.spawn(failing("joined"));
    const auto joined = co_await set.join_next();
    EXPECT_TRUE(joined.has_value() && joined->has_error());
  });
  EXPECT_TRUE(reports().empty());
}

TEST_F(Lost, CancelledTasksAndEndedOnesAreNot) {
  runtime_.block_on([]() -> Task<void> {
    auto aborted = spawn([]() -> Task<void> { co_await sleep(std::chrono::hours(1)); });
    co_await yield_now();
    aborted.abort();
    auto gone = spawn([]() -> Task<int> { co_return 1; });
    {
      const auto dropped = std::move(gone);
    }
    auto cancelled = spawn([]() -> Task<int> {
      throw ErrorException(Error::cancelled());
      co_return 0;
    });
    {
      const auto dropped = std::move(cancelled);
    }
    co_await yield_now();
  });
  EXPECT_TRUE(reports().empty());
}

TEST_F(Lost, BlockingClosuresAreTasks) {
  runtime_.block_on([this]() -> Task<void> {
    {
      const auto dropped = spawn_blocking([]() -> int { throw std::runtime_error("no disk"); });
    }
    while (reports().empty()) co_await sleep(std::chrono::milliseconds(1));
  });
  ASSERT_EQ(reports().size(), 1U);
  EXPECT_EQ(reports().front().text, "no disk");
}

TEST_F(Lost, WithoutAHookALineSaysIt) {
  set_panic_hook({});
  ::testing::internal::CaptureStderr();
  std::uint32_t line = 0;
  runtime_.block_on([&]() -> Task<void> {
    line = __LINE__ + 2;
    {
      const auto dropped = task::Builder().name("upload").spawn(failing("no such file"));
    }
    co_await yield_now();
  });
  const std::string printed = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(printed.find("kaido: task "), 0U) << printed;
  EXPECT_NE(printed.find(" \"upload\" (spawned at "), std::string::npos) << printed;
  EXPECT_NE(printed.find("panic_hook_test.cc:" + std::to_string(line) + ") failed and nobody awaits it: "),
            std::string::npos)
      << printed;
  EXPECT_NE(printed.find("std::runtime_error"), std::string::npos) << printed;
  EXPECT_NE(printed.find("no such file\n"), std::string::npos) << printed;
}

}  // namespace
}  // namespace kaido
