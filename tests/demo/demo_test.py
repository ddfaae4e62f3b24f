"""Runs deploy/demo.sh as a visitor would, on what Bazel built, and holds it against wc and sort.

usage: demo_test.py ROOT, where ROOT is the root of the sources and of the built programs (a test's run files).
"""

import collections
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

FILES = "/usr/share/common-licenses"
SECONDS_MAX = 120


def expected_words():
    """Word → count, by the tools everybody trusts."""
    listing = subprocess.run(
        "find -L %s -type f -exec cat {} + | tr -s '[:space:]' '\\n' | grep . | sort | uniq -c" % FILES,
        shell=True, check=True, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]}).stdout
    counts = {}
    for line in listing.splitlines():
        number, word = line.strip().split(b" ", 1)
        counts[word] = int(number)
    return counts


class DemoTest(unittest.TestCase):
    root = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(dir="/tmp")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def start(self, *arguments):
        return subprocess.Popen(
            [os.path.join(self.root, "deploy/demo.sh"), "--binaries", self.root, *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env={**os.environ, "TMPDIR": self.folder}, start_new_session=True)

    def run_demo(self, *arguments):
        demo = self.start(*arguments)
        try:
            output, _ = demo.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(demo.pid, signal.SIGKILL)
            raise
        self.assertEqual(demo.returncode, 0, output)
        self.assert_nothing_left(demo.pid)
        return output

    def assert_nothing_left(self, session):
        self.assertEqual(os.listdir(self.folder), [])
        left = subprocess.run(["ps", "-o", "pid=,args=", "--sid", str(session)], capture_output=True, text=True).stdout
        self.assertEqual(left, "")

    def assert_totals(self, output):
        expected = expected_words()
        total = re.search(r"^(\d+) words, (\d+) different$", output, re.M)
        self.assertIsNotNone(total, output)
        self.assertEqual(int(total.group(1)), sum(expected.values()))
        self.assertEqual(int(total.group(2)), len(expected))
        top = re.findall(r"^ +(\d+)  (\S+)$", output, re.M)
        self.assertEqual([int(number) for number, _ in top],
                         [number for _, number in collections.Counter(expected).most_common(10)])
        for number, word in top:
            self.assertEqual(expected[word.encode()], int(number), word)

    @staticmethod
    def tasks_by_node(output):
        return {node: int(tasks) for node, tasks in re.findall(r"^(node-\d)\s+(\d+)\s+[\d.]+\s+[\d.]+$", output, re.M)}

    def test_totals_are_those_of_wc_and_sort_and_every_node_helped(self):
        output = self.run_demo()
        self.assert_totals(output)
        self.assertEqual(set(self.tasks_by_node(output)), {"node-1", "node-2", "node-3"}, output)
        self.assertRegex(output, r"calls/s")

    def test_a_killed_daemon_changes_no_total(self):
        output = self.run_demo("--kill-one")
        self.assertIn("node-3 will be killed", output)
        self.assert_totals(output)
        self.assertTrue({"node-1", "node-2"} <= set(self.tasks_by_node(output)), output)

    def test_ctrl_c_ends_a_kept_cluster_and_leaves_nothing(self):
        demo = self.start("--keep", "--nodes", "2")
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if line.startswith("Ctrl-C ends it"):
                break
        self.assertTrue(lines and lines[-1].startswith("Ctrl-C ends it"), "".join(lines))
        status = subprocess.run([os.path.join(self.root, "daemon/kaidoctl/kaidoctl"), "--socket",
                                 re.search(r"KAIDO_ADMIN_SOCKET=(\S+)", "".join(lines)).group(1), "nodes"],
                                capture_output=True, text=True)
        self.assertEqual(status.returncode, 0, status.stderr)
        self.assertIn("node-2", status.stdout)
        os.killpg(demo.pid, signal.SIGINT)  # What a terminal does.
        demo.communicate(timeout=SECONDS_MAX)
        self.assertEqual(demo.returncode, 130)
        self.assert_nothing_left(demo.pid)

    def test_mistakes_are_named(self):
        for arguments, message in ((["--nodes", "0"], "--nodes"), (["--flies", "x"], "--flies"),
                                   (["--files", "/nowhere"], "no such folder")):
            demo = self.start(*arguments)
            output, _ = demo.communicate(timeout=SECONDS_MAX)
            self.assertEqual(demo.returncode, 1)
            self.assertIn(message, output)


class Result(unittest.TextTestResult):
    """Collects what Bazel reads: one <testcase> for each method."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cases = []

    def stopTest(self, test):
        bad = any(test is case for case, _ in self.failures + self.errors)
        self.cases.append('<testcase classname="demo" name="%s">%s</testcase>' % (
            test.id().split(".")[-1], '<failure message="see the log"/>' if bad else ""))
        super().stopTest(test)


if __name__ == "__main__":
    DemoTest.root = os.path.abspath(sys.argv[1])
    outcome = unittest.TextTestRunner(resultclass=Result, verbosity=2).run(
        unittest.defaultTestLoader.loadTestsFromTestCase(DemoTest))
    if os.environ.get("XML_OUTPUT_FILE"):
        with open(os.environ["XML_OUTPUT_FILE"], "w", encoding="utf-8") as out:
            out.write("<testsuites><testsuite name=\"demo\">%s</testsuite></testsuites>" % "".join(outcome.cases))
    sys.exit(0 if outcome.wasSuccessful() else 1)
