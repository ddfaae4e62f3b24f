"""Checks the JSON of a quick run: all workloads are there, and each is plausible. Says nothing about speed."""

import json
import sys

WORKLOADS = [value + way for value in ("small", "doubles", "nested", "map") for way in ("_encode", "_decode")]
EXPECTED = {(workload, subject) for workload in WORKLOADS for subject in ("kaido", "memcpy", "protobuf", "protobuf-wire")}
NOTES = ("compile_ms_1", "compile_ms_10", "compile_ms_100", "compile_ms_per_function_beyond_the_first", "object_bytes_100")


def main():
    with open(sys.argv[1], encoding="utf-8") as stream:
        report = json.load(stream)
    found = {(r["workload"], r["subject"]) for r in report["results"]}
    problems = ["missing: %s on %s" % cell for cell in sorted(EXPECTED - found)]
    problems += ["%s on %s: %s" % (r["workload"], r["subject"], r["median"]) for r in report["results"]
                 if not 0 < r["median"] < 1e9]
    problems += ["no ratio for %s" % workload for workload in WORKLOADS
                 if not report["ratios"].get(workload + "_protobuf_over_kaido", 0) > 0]
    problems += ["no %s: %s" % (note, report["notes"]) for note in NOTES if note not in report["notes"]]
    print("\n".join(problems) or "%d cells are plausible" % len(found))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
