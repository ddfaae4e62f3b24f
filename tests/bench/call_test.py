"""Checks the JSON of a quick run: all cells are there, and each is plausible. Says nothing about speed."""

import json
import sys

ONE_CLIENT = ("floor", "kaido", "kaido-2-nodes", "grpc-unary", "grpc-stream", "grpc-proxy")
WINDOWS = (1, 16, 64, 256)
EXPECTED = {(subject, 1, window) for subject in ONE_CLIENT for window in WINDOWS} | {
    ("floor-16x4", 16, 64), ("kaido-16x4", 16, 64)}
SIZES = ("1 MiB", "16 MiB", "60 MiB")
LARGE = ("large-memcpy", "large-relay", "large-grpc", "large-kaido", "large-kaido-2-nodes")
# Section → (workload, subject) of each of its cells.
SECTIONS = {
    "large_arguments": [(size + what, subject) for size in SIZES for what in ("", " CPU") for subject in LARGE],
    "small_calls_beside_large": [(row, subject) for row in ("p50", "p99") for subject in ("alone", "beside 60 MiB calls")],
    "large_memory": [(row, "large-memory-" + subject)
                     for row, subjects in (("client", ("relay", "grpc", "kaido", "kaido-2-nodes")),
                                           ("worker", ("relay", "grpc", "kaido", "kaido-2-nodes")),
                                           ("relay or daemon", ("relay", "kaido", "kaido-2-nodes")),
                                           ("second daemon", ("kaido-2-nodes",)))
                     for subject in subjects],
}
RATIOS = ("local_p50_over_floor", "local_w64_over_floor", "local_16x4_over_floor", "local_w64_over_grpc_stream",
          "local_cpu_w64_over_floor", "local_cpu_16x4_over_floor", "remote_w64_over_local")


def section_problems(report):
    problems = []
    for name, expected in SECTIONS.items():
        cells = {(r["workload"], r["subject"]): r["median"] for r in report.get(name, {}).get("results", [])}
        problems += ["%s: missing %s" % (name, cell) for cell in expected if cell not in cells]
        problems += ["%s: %s of %s is %s" % (name, *cell, value) for cell, value in cells.items() if not 0 <= value < 1e7]
    # A client has the argument itself, and whoever has it whole shows in its peak.
    memory = {(r["workload"], r["subject"]): r["median"] for r in report.get("large_memory", {}).get("results", [])}
    problems += ["large_memory: %s of %s is only %s MiB" % (*cell, value)
                 for cell, value in memory.items() if cell[0] in ("client", "worker") and value < 55]
    return problems


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
    problems += section_problems(report)
    problems += ["no ratio %s" % name for name in RATIOS if not report["ratios"].get(name, 0) > 0]
    if not 1 < report["idle"]["resident_megabytes"] < 1000 or report["idle"]["core_percent"] < 0:
        problems.append("idle daemon: %s" % report["idle"])
    print("\n".join(problems) or "%d cells are plausible" % len(found))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
