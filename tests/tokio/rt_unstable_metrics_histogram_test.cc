/// tokio's rt_unstable_metrics.rs: histograms of poll times and of schedule latencies.
#include <chrono>
#include <optional>
#include <utility>

#include <gtest/gtest.h>

#include <kaido/runtime.h>
#include <kaido/spawn.h>

#include "tests/tokio/poll_fn.h"

namespace kaido::parity {
namespace {

using namespace std::chrono_literals;

Task<void> nothing() { co_return; }

Task<void> spawn_and_join(int count) {
  for (int i = 0; i < count; ++i) {
    auto handle = spawn(nothing());
    static_cast<void>(co_await handle);
  }
}

RuntimeBuilder builder_of(bool is_multi_thread) {
  if (is_multi_thread) return RuntimeBuilder::new_multi_thread().worker_threads(2).enable_all();
  return RuntimeBuilder::new_current_thread().enable_all();
}

std::uint64_t poll_samples(const RuntimeMetrics& metrics) {
  std::uint64_t total = 0;
  for (std::size_t worker = 0; worker < metrics.num_workers(); ++worker) {
    for (std::size_t bucket = 0; bucket < metrics.poll_time_histogram_num_buckets(); ++bucket) {
      total += metrics.poll_time_histogram_bucket_count(worker, bucket);
    }
  }
  return total;
}

std::uint64_t latency_samples(const RuntimeMetrics& metrics) {
  std::uint64_t total = 0;
  for (std::size_t worker = 0; worker < metrics.num_workers(); ++worker) {
    for (std::size_t bucket = 0; bucket < metrics.schedule_latency_histogram_num_buckets(); ++bucket) {
      total += metrics.schedule_latency_histogram_bucket_count(worker, bucket);
    }
  }
  return total;
}

std::uint64_t polls(const RuntimeMetrics& metrics) {
  std::uint64_t total = 0;
  for (std::size_t worker = 0; worker < metrics.num_workers(); ++worker) total += metrics.worker_poll_count(worker);
  return total;
}

TEST(rt_unstable_metrics, log_histogram) {
  std::optional<Runtime> rt(builder_of(false)
                                .enable_metrics_poll_time_histogram()
                                .metrics_poll_time_histogram_configuration(HistogramConfiguration::log(
                                    LogHistogram().max_value(60s).min_value(100ns).max_error(0.25)))
                                .build()
                                .value());
  const RuntimeMetrics metrics = rt->metrics();
  EXPECT_EQ(metrics.poll_time_histogram_num_buckets(), 119u);
  rt->block_on(spawn_and_join(50));
  rt.reset();
  EXPECT_EQ(metrics.poll_time_histogram_bucket_range(0), HistogramRange(0ns, 96ns));
  EXPECT_EQ(metrics.poll_time_histogram_bucket_range(1), HistogramRange(96ns, 112ns));
  EXPECT_EQ(metrics.poll_time_histogram_bucket_range(118),
            HistogramRange(60'129'542'144ns, std::chrono::nanoseconds::max()));
  EXPECT_EQ(poll_samples(metrics), 50u);
}

TEST(rt_unstable_metrics, minimal_log_histogram) {
  Runtime rt = builder_of(false)
                   .enable_metrics_poll_time_histogram()
                   .metrics_poll_time_histogram_configuration(
                       HistogramConfiguration::log(LogHistogram().max_value(4ms).min_value(20us).precision_exact(0)))
                   .build()
                   .value();
  const RuntimeMetrics metrics = rt.metrics();
  ASSERT_EQ(metrics.poll_time_histogram_num_buckets(), 10u);
  for (std::size_t bucket = 1; bucket < 9; ++bucket) {
    const auto [begin, end] = metrics.poll_time_histogram_bucket_range(bucket);
    EXPECT_EQ(end - begin, (1 << (bucket - 1)) * 16384ns) << bucket;
  }
}

TEST(rt_unstable_metrics, log_histogram_default_configuration) {
  Runtime rt = builder_of(false)
                   .enable_metrics_poll_time_histogram()
                   .metrics_poll_time_histogram_configuration(HistogramConfiguration::log())
                   .build()
                   .value();
  EXPECT_EQ(rt.metrics().poll_time_histogram_num_buckets(), 119u);
}

TEST(rt_unstable_metrics, worker_poll_count_histogram) {
  for (bool is_multi_thread : {false, true}) {
    std::optional<Runtime> rt(builder_of(is_multi_thread)
                                  .enable_metrics_poll_time_histogram()
                                  .metrics_poll_time_histogram_configuration(HistogramConfiguration::linear(50ms, 3))
                                  .build()
                                  .value());
    const RuntimeMetrics metrics = rt->metrics();
    EXPECT_EQ(metrics.poll_time_histogram_num_buckets(), 3u);
    rt->block_on(spawn_and_join(5));
    rt.reset();
    EXPECT_EQ(poll_samples(metrics), polls(metrics));
    EXPECT_EQ(poll_samples(metrics), 5u);
  }
}

TEST(rt_unstable_metrics, worker_poll_count_histogram_range) {
  Runtime rt = builder_of(false)
                   .enable_metrics_poll_time_histogram()
                   .metrics_poll_time_histogram_configuration(HistogramConfiguration::linear(50us, 3))
                   .build()
                   .value();
  const RuntimeMetrics metrics = rt.metrics();
  EXPECT_EQ(metrics.poll_time_histogram_bucket_range(0), HistogramRange(0us, 50us));
  EXPECT_EQ(metrics.poll_time_histogram_bucket_range(1), HistogramRange(50us, 100us));
  EXPECT_EQ(metrics.poll_time_histogram_bucket_range(2), HistogramRange(100us, std::chrono::nanoseconds::max()));
  EXPECT_THROW(static_cast<void>(metrics.poll_time_histogram_bucket_range(3)), std::out_of_range);
}

TEST(rt_unstable_metrics, worker_poll_count_histogram_disabled_without_explicit_enable) {
  for (bool is_multi_thread : {false, true}) {
    Runtime rt = builder_of(is_multi_thread)
                     .metrics_poll_time_histogram_configuration(HistogramConfiguration::linear(50ms, 3))
                     .build()
                     .value();
    EXPECT_FALSE(rt.metrics().poll_time_histogram_enabled());
    EXPECT_EQ(rt.metrics().poll_time_histogram_num_buckets(), 0u);
  }
}

TEST(rt_unstable_metrics, schedule_latency_counts) {
  for (bool is_multi_thread : {false, true}) {
    std::optional<Runtime> rt(
        builder_of(is_multi_thread)
            .enable_metrics_schedule_latency_histogram()
            .metrics_schedule_latency_histogram_configuration(HistogramConfiguration::linear(50ms, 3))
            .build()
            .value());
    const RuntimeMetrics metrics = rt->metrics();
    EXPECT_TRUE(metrics.schedule_latency_histogram_enabled());
    EXPECT_EQ(metrics.schedule_latency_histogram_num_buckets(), 3u);
    rt->block_on(spawn_and_join(50));
    rt.reset();
    EXPECT_EQ(latency_samples(metrics), 50u);
  }
}

TEST(rt_unstable_metrics, schedule_latency_lifo_polls_are_recorded_individually) {
  std::optional<Runtime> rt(RuntimeBuilder::new_multi_thread()
                                .worker_threads(1)
                                .enable_metrics_poll_time_histogram()
                                .enable_metrics_schedule_latency_histogram()
                                .build()
                                .value());
  const RuntimeMetrics metrics = rt->metrics();
  // The child runs from the slot, in the same scheduled poll.
  auto parent = rt->spawn([]() -> Task<void> {
    start(nothing());
    co_return;
  });
  EXPECT_TRUE(rt->block_on(parent).has_value());
  rt.reset();
  EXPECT_EQ(metrics.spawned_tasks_count(), 2u);
  EXPECT_EQ(latency_samples(metrics), 2u);
  EXPECT_EQ(poll_samples(metrics), 1u);
  EXPECT_EQ(polls(metrics), 1u);
}

}  // namespace
}  // namespace kaido::parity
