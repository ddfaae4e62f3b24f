"""Checks the JSON of a quick run: all workloads are there, and each is plausible. Says nothing about speed."""

import json
import sys

TASKS = ("spawn_join", "spawn_join_2", "spawn_many_local", "spawn_many_local_4", "spawn_many_remote_idle",
         "spawn_many_remote_idle_4", "yield_many", "ping_pong", "chained_spawn", "spawn_blocking", "timeout", "timeout_8",
         "sleep", "sleep_8")
SYNC = ("mpsc_ping_pong", "mpsc_ping_pong_2", "request_reply", "contention_bounded", "contention_bounded_full",
        "contention_unbounded", "notify_waiters", "broadcast_contention", "watch_contention", "semaphore_contention")
ASIO = ("spawn_join", "spawn_many_local", "spawn_many_remote_idle", "yield_many", "ping_pong", "chained_spawn",
        "spawn_blocking", "sleep", "mpsc_ping_pong")
EXPECTED = {(workload, "kaido") for workload in TASKS + SYNC} | {(workload, "asio") for workload in ASIO}


def main():
    with open(sys.argv[1], encoding="utf-8") as stream:
        report = json.load(stream)
    found = {(r["workload"], r["subject"]) for r in report["results"]}
    problems = ["missing: %s on %s" % cell for cell in sorted(EXPECTED - found)]
    problems += ["%s on %s: %s" % (r["workload"], r["subject"], r["median"]) for r in report["results"]
                 if not 0 < r["median"] < 1e9]
    problems += ["no ratio for %s" % workload for workload in ASIO
                 if not report["ratios"].get(workload + "_asio_over_kaido", 0) > 0]
    if not 0 < int(report["notes"]["bytes per idle task, frame included"]) < 10_000:
        problems.append("memory: %s" % report["notes"])
    print("\n".join(problems) or "%d cells are plausible" % len(found))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
