"""Checks the JSON of a quick run: all cells are there, and each is plausible. Says nothing about speed."""

import json
import sys

ONE_CLIENT = ("floor", "kaido", "kaido-2-nodes", "grpc-unary", "grpc-stream", "grpc-proxy")
WINDOWS = (1, 16, 64, 256)
EXPECTED = {(subject, 1, window) for subject in ONE_CLIENT for window in WINDOWS} | {
    ("floor-16x4", 16, 64), ("kaido-16x4", 16, 64)}
RATIOS = ("local_p50_over_floor", "local_w64_over_floor", "local_16x4_over_floor", "local_w64_over_grpc_stream")


def main():
    with open(sys.argv[1], encoding="utf-8") as stream:
        report = json.load(stream)
    found = {(r["subject"], r["clients"], r["in_flight"]) for r in report["results"]}
    problems = ["missing: %s" % (cell,) for cell in sorted(EXPECTED - found)]
    for result in report["results"]:
        name = "%s at %d" % (result["subject"], result["in_flight"])
        if not 10 < result["calls_per_second"]["median"] < 1e8:
            problems.append("%s: calls/s %s" % (name, result["calls_per_second"]))
        if not 0 < result["cpu_seconds_per_million"]["median"] < 1e5:
            problems.append("%s: CPU %s" % (name, result["cpu_seconds_per_million"]))
        latency = (result["p50_us"]["median"], result["p99_us"]["median"])
        if result["in_flight"] == 1 and not 0.1 < latency[0] <= latency[1] < 1e6:
            problems.append("%s: p50 and p99 %s us" % (name, latency))
    problems += ["no ratio %s" % name for name in RATIOS if not report["ratios"].get(name, 0) > 0]
    if not 1 < report["idle"]["resident_megabytes"] < 1000 or report["idle"]["core_percent"] < 0:
        problems.append("idle daemon: %s" % report["idle"])
    print("\n".join(problems) or "%d cells are plausible" % len(found))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
