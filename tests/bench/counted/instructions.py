"""Counts the instructions of a call's parts under valgrind, and compares them with the baseline.

README.md in tests/bench says what the parts are and how the baseline is changed.
"""

import argparse
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from callgrind import Profile  # noqa: E402 (it lies beside this file)

# What is called from these functions of the program is what is counted.
PARTS = ("local", "origin", "executor", "client", "worker")
# One class's share of a part: what its entry points cost, without what they hand on to others. Names of functions, up to
# their parameters.
Share = collections.namedtuple("Share", "part entries others")
SHARES = {
    "tasks": Share(part="local",
                   entries=("kaido::daemon::TaskFlow::submit", "kaido::daemon::TaskFlow::worker_result"),
                   others=("kaido::daemon::Apps::dispatch", "kaido::daemon::Apps::deliver")),
}
ROWS = PARTS + tuple(SHARES)
GROWTH_MAX = 1.05
# Below this much of the baseline the gain should be written down, or it could be lost again unnoticed.
GAIN_MIN = 0.95
REMEDY = (
    "If the growth is meant, write the new counts with\n"
    "    bazel run //tests/bench:count_instructions -- --update\n"
    "and say in the commit why a call may cost more."
)


def count(program, show=None):
    """Instructions per call by part, and the compiler that made the program."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "callgrind.out")
        command = ["valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file=" + out]
        if show:
            command.append("--toggle-collect=measured_" + show)
        result = subprocess.run(command + [program], stdout=subprocess.PIPE, check=True, text=True)
        facts = dict(line.split(" ", 1) for line in result.stdout.splitlines())
        with open(out, encoding="utf-8") as stream:
            profile = Profile(stream.read())
    return profile, int(facts["calls"]), facts["compiler"]


def count_all(program):
    """Rounded instructions per call by row, and the compiler. A row of which nothing was found is 0."""
    profile, calls, compiler = count(program)
    counts = {part: round(profile.under("measured_" + part) / calls) for part in PARTS}
    for name, share in SHARES.items():
        profile, calls, _ = count(program, share.part)
        counts[name] = round(share_of(profile, share) / calls)
    return counts, compiler


def share_of(profile, share):
    """0 if one of the share's functions was never called: then it is not what it was."""
    entries = [profile.under_any(name + "(") for name in share.entries]
    others = [profile.under_any(name + "(") for name in share.others]
    return sum(entries) - sum(others) if all(entries + others) else 0


def compare(counts, baseline):
    """One complaint for each part that grew, and for each that is not in both."""
    problems = []
    for part in ROWS:
        if part not in baseline:
            problems.append("%s: not in the baseline" % part)
        elif counts[part] > baseline[part] * GROWTH_MAX:
            problems.append("%s: %d instructions a call, %+.1f %% beyond the baseline's %d"
                            % (part, counts[part], (counts[part] / baseline[part] - 1) * 100, baseline[part]))
    return problems


def table(counts, baseline):
    lines = ["%-10s%14s%14s%9s" % ("part", "instructions", "baseline", "change")]
    for part in ROWS:
        known = baseline.get(part)
        change = "%+.1f %%" % ((counts[part] / known - 1) * 100) if known else "-"
        lines.append("%-10s%14d%14s%9s" % (part, counts[part], known or "-", change))
    return "\n".join(lines)


def show_profile(program, part):
    profile, calls, _ = count(program, part)
    for title, costs in (("own", profile.own), ("with what it calls", profile.inclusive)):
        print("instructions per call by function, %s" % title)
        for name, cost in sorted(costs.items(), key=lambda item: -item[1])[:40]:
            print("%10.1f  %s" % (cost / calls, name[:160]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True)
    parser.add_argument("--baseline", required=True)
    parser.add_argument("--update", action="store_true", help="write the baseline instead of comparing with it")
    parser.add_argument("--profile", choices=PARTS, help="show where one part's instructions are")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("SKIPPED: valgrind is not installed (deploy/install-deps.sh --checks installs it)")
        return 0
    if options.profile:
        show_profile(options.program, options.profile)
        return 0
    counts, compiler = count_all(options.program)
    silent = [part for part in ROWS if counts[part] == 0]
    if silent:
        print("FAILED: nothing was counted for %s: are the measured_ functions, and those of SHARES, still there?"
              % ", ".join(silent))
        return 1
    if options.update:
        with open(options.baseline, "w", encoding="utf-8") as stream:
            json.dump({"compiler": compiler, "instructions_per_call": counts}, stream, indent=2)
            stream.write("\n")
    with open(options.baseline, encoding="utf-8") as stream:
        baseline = json.load(stream)
    if compiler != baseline["compiler"]:
        print(table(counts, {}))
        print("SKIPPED: the baseline is %s's, this program was compiled by %s" % (baseline["compiler"], compiler))
        return 0
    print(table(counts, baseline["instructions_per_call"]))
    problems = compare(counts, baseline["instructions_per_call"])
    if problems:
        print("FAILED: a call costs more than a twentieth more than it did:\n  " + "\n  ".join(problems))
        print(REMEDY)
        return 1
    gained = [part for part in ROWS if counts[part] < baseline["instructions_per_call"][part] * GAIN_MIN]
    if gained:
        print("Cheaper than the baseline: %s. Update it, so that the gain is kept:" % ", ".join(gained))
        print("    bazel run //tests/bench:count_instructions -- --update")
    return 0


if __name__ == "__main__":
    sys.exit(main())
