"""Attacks on real daemons, over real sockets: whatever apps and peers send, nobody else is harmed.

  attack.py [--seconds N] [--seed S] [--repeat R] [ATTACK...]

Each attack lasts about N seconds, for R rounds with seeds S, S+1, ... Without names all are run. Where XML_OUTPUT_FILE is set,
as in a test of Bazel, the attacks are its cases.
"""

import argparse
import os
import sys
import time
import traceback
import xml.etree.ElementTree as xml

# Each registers its attacks.
import crowds
import extremes
import frames
import half_open
import losses
import readers
from cases import CASES
from site_of_attack import Site

SECONDS = 2
SEED = 1


def run(case, seed, seconds):
    """What is wrong, or None."""
    begun = time.monotonic()
    site = Site(seed, seconds)
    problem = None
    try:
        case.run(site)
        site.judge(case.memory_mib)
    except Exception as error:  # whatever it is, it is the result of this attack
        logs = "".join("\n---- log of node %s\n%s" % (node.name, node.log_tail()) for node in site.nodes)
        problem = "%s\n%s%s" % (error, traceback.format_exc(), logs)
    finally:
        site.clean_up()
    taken = time.monotonic() - begun
    counts = ", ".join("%s %s" % item for item in sorted(site.counts.items()))
    print("%s %s (seed %d, %.1f s): %s" % ("FAILED" if problem else "passed", case.name, seed, taken, problem or counts), flush=True)
    return problem, taken


def write_xml(path, results):
    suite = xml.Element("testsuite", name="attack", tests=str(len(results)))
    for name, problem, taken in results:
        case = xml.SubElement(suite, "testcase", classname="attack", name=name, time="%.3f" % taken)
        if problem:
            xml.SubElement(case, "failure", message=problem.split("\n", 1)[0]).text = problem
    xml.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=" ".join(case.name for case in CASES))
    options = parser.parse_args()
    unknown = set(options.attacks) - {case.name for case in CASES}
    if unknown:
        parser.error("unknown: %s" % " ".join(sorted(unknown)))
    results = []
    for seed in range(options.seed, options.seed + options.repeat):
        for case in CASES:
            if not options.attacks or case.name in options.attacks:
                results.append((case.name, *run(case, seed, options.seconds)))
    if os.environ.get("XML_OUTPUT_FILE"):
        write_xml(os.environ["XML_OUTPUT_FILE"], results)
    failed = [name for name, problem, _ in results if problem]
    print("%d passed, %d failed" % (len(results) - len(failed), len(failed)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
