//! The workloads of //tests/bench:runtime on tokio. For each line `workload milliseconds` on standard input it runs the
//! workload again and again for that long and answers with the nanoseconds of one operation, or `unknown`.
//! What an operation is, and the parameters, stand in tests/bench/runtime/workloads.h.

use std::future::Future;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{broadcast, mpsc, oneshot, watch, Notify, Semaphore};
use tokio::task::{yield_now, JoinSet};

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn multi_thread(workers: usize) -> Runtime {
    Builder::new_multi_thread().worker_threads(workers).enable_time().build().unwrap()
}

/// Repeats `iteration`, which returns how many operations it did; nanoseconds of one.
fn repeat(milliseconds: f64, mut iteration: impl FnMut() -> usize) -> f64 {
    iteration();
    let limit = Duration::from_secs_f64(milliseconds / 1000.0);
    let start = Instant::now();
    let mut operations = 0;
    loop {
        operations += iteration();
        let elapsed = start.elapsed();
        if elapsed >= limit {
            return elapsed.as_nanos() as f64 / operations as f64;
        }
    }
}

/// Repeats an asynchronous iteration within one block_on.
fn repeat_in<F: Future<Output = usize>>(runtime: &Runtime, milliseconds: f64, mut iteration: impl FnMut() -> F) -> f64 {
    repeat(milliseconds, || runtime.block_on(iteration()))
}

fn spawn_many_local(runtime: &Runtime, count: usize, milliseconds: f64) -> f64 {
    repeat_in(runtime, milliseconds, || async move {
        let mut handles = Vec::with_capacity(count);
        for _ in 0..count {
            handles.push(tokio::spawn(async {}));
        }
        for handle in handles {
            handle.await.unwrap();
        }
        count
    })
}

fn spawn_join_one_by_one(runtime: &Runtime, milliseconds: f64) -> f64 {
    repeat_in(runtime, milliseconds, || async {
        tokio::spawn(async {
            for _ in 0..1_000 {
                tokio::spawn(async {}).await.unwrap();
            }
        })
        .await
        .unwrap();
        1_000
    })
}

fn spawn_many_remote_idle(runtime: &Runtime, count: usize, milliseconds: f64) -> f64 {
    repeat(milliseconds, || {
        let mut handles = Vec::with_capacity(count);
        for _ in 0..count {
            handles.push(runtime.spawn(async {}));
        }
        runtime.block_on(async {
            for handle in handles {
                handle.await.unwrap();
            }
        });
        count
    })
}

fn yield_many(milliseconds: f64) -> f64 {
    const TASKS: usize = 200;
    const YIELDS: usize = 1_000;
    let runtime = multi_thread(4);
    let (done, all_done) = std_mpsc::sync_channel(TASKS);
    repeat(milliseconds, || {
        for _ in 0..TASKS {
            let done = done.clone();
            runtime.spawn(async move {
                for _ in 0..YIELDS {
                    yield_now().await;
                }
                done.send(()).unwrap();
            });
        }
        for _ in 0..TASKS {
            all_done.recv().unwrap();
        }
        TASKS * YIELDS
    })
}

fn ping_pong(milliseconds: f64) -> f64 {
    const PINGS: usize = 1_000;
    let runtime = multi_thread(4);
    let (done, all_done) = std_mpsc::sync_channel(1);
    let remaining = Arc::new(AtomicUsize::new(0));
    repeat(milliseconds, || {
        let done = done.clone();
        let remaining = remaining.clone();
        remaining.store(PINGS, Ordering::Relaxed);
        runtime.block_on(async {
            tokio::spawn(async move {
                for _ in 0..PINGS {
                    let remaining = remaining.clone();
                    let done = done.clone();
                    tokio::spawn(async move {
                        let (tx1, rx1) = oneshot::channel();
                        let (tx2, rx2) = oneshot::channel();
                        tokio::spawn(async move {
                            rx1.await.unwrap();
                            tx2.send(()).unwrap();
                        });
                        tx1.send(()).unwrap();
                        rx2.await.unwrap();
                        if remaining.fetch_sub(1, Ordering::Relaxed) == 1 {
                            done.send(()).unwrap();
                        }
                    });
                }
            });
            all_done.recv().unwrap();
        });
        PINGS
    })
}

fn chained_spawn(milliseconds: f64) -> f64 {
    const LENGTH: usize = 1_000;
    fn next(done: std_mpsc::SyncSender<()>, remaining: usize) {
        if remaining == 0 {
            done.send(()).unwrap();
        } else {
            tokio::spawn(async move { next(done, remaining - 1) });
        }
    }
    let runtime = multi_thread(4);
    let (done, all_done) = std_mpsc::sync_channel(1);
    repeat(milliseconds, || {
        let done = done.clone();
        runtime.block_on(async {
            tokio::spawn(async move { next(done, LENGTH) });
            all_done.recv().unwrap();
        });
        LENGTH
    })
}

fn spawn_blocking(milliseconds: f64) -> f64 {
    const TASKS: usize = 8;
    const BATCHES: usize = 10;
    const BATCH: usize = 16;
    let runtime = multi_thread(2);
    repeat_in(&runtime, milliseconds, || async {
        let mut tasks = JoinSet::new();
        for _ in 0..TASKS {
            tasks.spawn(async {
                for _ in 0..BATCHES {
                    let mut set = JoinSet::new();
                    for _ in 0..BATCH {
                        set.spawn_blocking(|| ());
                    }
                    set.join_all().await;
                }
            });
        }
        tasks.join_all().await;
        TASKS * BATCHES * BATCH
    })
}

fn timers(runtime: &Runtime, tasks: usize, poll: bool, milliseconds: f64) -> f64 {
    const TIMERS: usize = 1_000;
    repeat_in(runtime, milliseconds, || async move {
        let mut set = JoinSet::new();
        for _ in 0..tasks {
            set.spawn(async move {
                for _ in 0..TIMERS {
                    if poll {
                        let _ = tokio::time::timeout(Duration::from_secs(1), async { std::hint::black_box(1) }).await;
                    } else {
                        let _ = std::hint::black_box(tokio::time::sleep(Duration::from_secs(1)));
                    }
                }
            });
        }
        set.join_all().await;
        tasks * TIMERS
    })
}

fn mpsc_ping_pong(runtime: &Runtime, milliseconds: f64) -> f64 {
    const ROUNDS: usize = 1_000;
    repeat_in(runtime, milliseconds, || async {
        let (ping, mut pinged) = mpsc::channel::<usize>(1);
        let (pong, mut ponged) = mpsc::channel::<usize>(1);
        let echo = tokio::spawn(async move {
            while let Some(value) = pinged.recv().await {
                pong.send(value).await.unwrap();
            }
        });
        let caller = tokio::spawn(async move {
            for i in 0..ROUNDS {
                ping.send(i).await.unwrap();
                ponged.recv().await.unwrap();
            }
        });
        caller.await.unwrap();
        echo.await.unwrap();
        ROUNDS
    })
}

fn request_reply(runtime: &Runtime, milliseconds: f64) -> f64 {
    const REQUESTS: usize = 1_000;
    let (requests, mut received) = mpsc::channel::<oneshot::Sender<()>>(10);
    runtime.spawn(async move {
        while let Some(reply) = received.recv().await {
            reply.send(()).unwrap();
        }
    });
    repeat_in(runtime, milliseconds, || async {
        for _ in 0..REQUESTS {
            let (reply, answer) = oneshot::channel();
            requests.send(reply).await.unwrap();
            answer.await.unwrap();
        }
        REQUESTS
    })
}

fn contention_bounded(capacity: usize, milliseconds: f64) -> f64 {
    const SENDERS: usize = 5;
    const MESSAGES: usize = 1_000;
    let runtime = multi_thread(6);
    repeat_in(&runtime, milliseconds, || async move {
        let (tx, mut rx) = mpsc::channel::<usize>(capacity);
        for _ in 0..SENDERS {
            let tx = tx.clone();
            tokio::spawn(async move {
                for i in 0..MESSAGES {
                    tx.send(i).await.unwrap();
                }
            });
        }
        for _ in 0..SENDERS * MESSAGES {
            rx.recv().await.unwrap();
        }
        SENDERS * MESSAGES
    })
}

fn contention_unbounded(milliseconds: f64) -> f64 {
    const SENDERS: usize = 5;
    const MESSAGES: usize = 1_000;
    let runtime = multi_thread(6);
    repeat_in(&runtime, milliseconds, || async move {
        let (tx, mut rx) = mpsc::unbounded_channel::<usize>();
        for _ in 0..SENDERS {
            let tx = tx.clone();
            tokio::spawn(async move {
                for i in 0..MESSAGES {
                    tx.send(i).unwrap();
                }
            });
        }
        for _ in 0..SENDERS * MESSAGES {
            rx.recv().await.unwrap();
        }
        SENDERS * MESSAGES
    })
}

fn notify_waiters(milliseconds: f64) -> f64 {
    const WAITERS: usize = 100;
    const WAKES: usize = 500;
    let runtime = multi_thread(6);
    let notify = Arc::new(Notify::new());
    let counter = Arc::new(AtomicUsize::new(0));
    for _ in 0..WAITERS {
        let notify = notify.clone();
        let counter = counter.clone();
        runtime.spawn(async move {
            loop {
                notify.notified().await;
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    repeat(milliseconds, || {
        counter.store(0, Ordering::Relaxed);
        loop {
            notify.notify_waiters();
            if counter.load(Ordering::Relaxed) >= WAKES {
                return WAKES;
            }
        }
    })
}

fn broadcast_contention(milliseconds: f64) -> f64 {
    const RECEIVERS: usize = 100;
    const SENDS: usize = 100;
    let runtime = multi_thread(6);
    repeat_in(&runtime, milliseconds, || async {
        let (tx, _keep) = broadcast::channel::<usize>(1_000);
        let done = Arc::new(Notify::new());
        let pending = Arc::new(AtomicUsize::new(0));
        for _ in 0..RECEIVERS {
            let mut rx = tx.subscribe();
            let done = done.clone();
            let pending = pending.clone();
            tokio::spawn(async move {
                while rx.recv().await.is_ok() {
                    if pending.fetch_sub(1, Ordering::AcqRel) == 1 {
                        done.notify_one();
                    }
                }
            });
        }
        for i in 0..SENDS {
            pending.store(RECEIVERS, Ordering::Release);
            tx.send(i).unwrap();
            done.notified().await;
        }
        RECEIVERS * SENDS
    })
}

fn watch_contention(milliseconds: f64) -> f64 {
    const RECEIVERS: usize = 100;
    const SENDS: usize = 100;
    let runtime = multi_thread(6);
    repeat_in(&runtime, milliseconds, || async {
        let (tx, _keep) = watch::channel(0usize);
        let done = Arc::new(Notify::new());
        let pending = Arc::new(AtomicUsize::new(0));
        for _ in 0..RECEIVERS {
            let mut rx = tx.subscribe();
            let done = done.clone();
            let pending = pending.clone();
            tokio::spawn(async move {
                while rx.changed().await.is_ok() {
                    std::hint::black_box(*rx.borrow());
                    if pending.fetch_sub(1, Ordering::AcqRel) == 1 {
                        done.notify_one();
                    }
                }
            });
        }
        for i in 0..SENDS {
            pending.store(RECEIVERS, Ordering::Release);
            tx.send(i).unwrap();
            done.notified().await;
        }
        RECEIVERS * SENDS
    })
}

fn semaphore_contention(milliseconds: f64) -> f64 {
    const TASKS: usize = 6;
    const ROUNDS: usize = 200;
    let runtime = multi_thread(6);
    repeat_in(&runtime, milliseconds, || async {
        let semaphore = Arc::new(Semaphore::new(5));
        let mut set = JoinSet::new();
        for _ in 0..TASKS {
            let semaphore = semaphore.clone();
            set.spawn(async move {
                for _ in 0..ROUNDS {
                    drop(semaphore.acquire().await.unwrap());
                }
            });
        }
        set.join_all().await;
        TASKS * ROUNDS
    })
}

fn run(workload: &str, milliseconds: f64) -> Option<f64> {
    let ns = match workload {
        "spawn_join" => spawn_join_one_by_one(&current_thread(), milliseconds),
        "spawn_join_2" => spawn_join_one_by_one(&multi_thread(2), milliseconds),
        "spawn_many_local" => spawn_many_local(&current_thread(), 1_000, milliseconds),
        "spawn_many_local_4" => spawn_many_local(&multi_thread(4), 10_000, milliseconds),
        "spawn_many_remote_idle" => spawn_many_remote_idle(&current_thread(), 1_000, milliseconds),
        "spawn_many_remote_idle_4" => spawn_many_remote_idle(&multi_thread(4), 10_000, milliseconds),
        "yield_many" => yield_many(milliseconds),
        "ping_pong" => ping_pong(milliseconds),
        "chained_spawn" => chained_spawn(milliseconds),
        "spawn_blocking" => spawn_blocking(milliseconds),
        "timeout" => timers(&current_thread(), 1, true, milliseconds),
        "timeout_8" => timers(&multi_thread(8), 8, true, milliseconds),
        "sleep" => timers(&current_thread(), 1, false, milliseconds),
        "sleep_8" => timers(&multi_thread(8), 8, false, milliseconds),
        "mpsc_ping_pong" => mpsc_ping_pong(&current_thread(), milliseconds),
        "mpsc_ping_pong_2" => mpsc_ping_pong(&multi_thread(2), milliseconds),
        "request_reply" => request_reply(&current_thread(), milliseconds),
        "contention_bounded" => contention_bounded(1_000_000, milliseconds),
        "contention_bounded_full" => contention_bounded(100, milliseconds),
        "contention_unbounded" => contention_unbounded(milliseconds),
        "notify_waiters" => notify_waiters(milliseconds),
        "broadcast_contention" => broadcast_contention(milliseconds),
        "watch_contention" => watch_contention(milliseconds),
        "semaphore_contention" => semaphore_contention(milliseconds),
        _ => return None,
    };
    Some(ns)
}

fn main() {
    let mut output = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let (workload, milliseconds) = line.split_once(' ').unwrap_or((&line, "1"));
        match run(workload, milliseconds.parse().unwrap_or(1.0)) {
            Some(ns) => writeln!(output, "{ns:.3}").unwrap(),
            None => writeln!(output, "unknown").unwrap(),
        }
        output.flush().unwrap();
    }
}
