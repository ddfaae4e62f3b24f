"""Counts test cases in the event file of a `bazel test` and prints `N passed, N failed` as its last line.

A GoogleTest program reports its cases in XML; any other test is one case. A target that did not build, timed out or
crashed is one failed case at least, and so is a run of Bazel that failed without naming a target. A skipped case is a
failed one: nothing may look green that did not run.

  tally.py [--bazel-status=N] [--without-tags=A,B] FILE   FILE is what --build_event_json_file wrote

--without-tags names the tags whose tests were built but not meant to run (Bazel's --test_tag_filters=-A,-B).
"""

import argparse
import json
import os
import sys
import urllib.parse
import xml.etree.ElementTree as xml

# What `bazel test` returns when everything built, ran and passed.
BAZEL_SUCCESS = 0


def cases_in(path):
    """(passed, names of the failed cases) of one test.xml, or None where the file tells nothing."""
    try:
        root = xml.parse(path).getroot()
    except (OSError, xml.ParseError):
        return None
    passed, failed = 0, []
    for case in root.iter("testcase"):
        ran = case.get("status", "run") == "run"
        skipped = case.find("skipped") is not None or case.get("result") == "skipped"
        broken = case.find("failure") is not None or case.find("error") is not None
        if ran and not skipped and not broken:
            passed += 1
        else:
            failed.append(".".join(part for part in (case.get("classname"), case.get("name")) if part))
    return (passed, failed) if passed or failed else None


def path_of(output):
    return urllib.parse.unquote(urllib.parse.urlparse(output.get("uri", "")).path)


def tally(events, without_tags=frozenset()):
    """Returns (passed, [failed case or target]) of an iterable of build events."""
    passed, failed, tests, finished = 0, [], set(), set()
    for event in events:
        identity = event.get("id", {})
        configured = event.get("configured", {})
        if "targetConfigured" in identity and "testSize" in configured and without_tags.isdisjoint(configured.get("tag", [])):
            tests.add(identity["targetConfigured"]["label"])
        if "targetCompleted" in identity and not event.get("completed", {}).get("success"):
            label = identity["targetCompleted"]["label"]
            if label not in finished:
                finished.add(label)
                failed.append(label + " (did not build)")
        if "testResult" in identity:
            label = identity["testResult"]["label"]
            result = event["testResult"]
            if result.get("status") == "NO_STATUS":
                continue
            finished.add(label)
            outputs = [path_of(o) for o in result.get("testActionOutput", []) if o.get("name") == "test.xml"]
            counted = cases_in(outputs[0]) if outputs else None
            good = result.get("status") == "PASSED"
            case_passed, case_failed = counted or ((1, []) if good else (0, []))
            passed += case_passed
            failed += ["%s %s" % (label, name) for name in case_failed]
            if not good and not case_failed:
                failed.append("%s (%s)" % (label, result.get("status", "no status")))
    failed += [label + " (did not run)" for label in sorted(tests - finished)]
    return passed, failed


def read_events(path):
    if not os.path.exists(path):
        return
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bazel-status", type=int, default=BAZEL_SUCCESS)
    parser.add_argument("--without-tags", type=lambda text: frozenset(text.split(",")), default=frozenset())
    parser.add_argument("events")
    options = parser.parse_args()
    passed, failed = tally(read_events(options.events), options.without_tags)
    if options.bazel_status != BAZEL_SUCCESS and not failed:
        failed.append("bazel itself (exit status %d)" % options.bazel_status)
    for name in failed:
        print("FAILED: " + name)
    print("%d passed, %d failed" % (passed, len(failed)))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
