"""The count of test cases: every way in which a target can go wrong is a failed case."""

import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tally  # noqa: E402


def configured(label, tags=()):
    return {"id": {"targetConfigured": {"label": label}}, "configured": {"testSize": "SMALL", "tag": list(tags)}}


def result(label, status, xml=None):
    outputs = [{"name": "test.xml", "uri": "file://" + xml}] if xml else []
    return {"id": {"testResult": {"label": label}}, "testResult": {"status": status, "testActionOutput": outputs}}


class TallyTest(unittest.TestCase):
    def write(self, text):
        stream = tempfile.NamedTemporaryFile("w", suffix=".xml", dir=self.folder.name, delete=False)
        with stream:
            stream.write(text)
        return stream.name

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_counts_the_cases_of_a_googletest_program(self):
        path = self.write('<testsuites><testsuite><testcase name="a" status="run" result="completed"/>'
                          '<testcase name="b" classname="S" status="run"><failure message="x"/></testcase>'
                          '</testsuite></testsuites>')
        passed, failed = tally.tally([configured("//t"), result("//t", "FAILED", path)])
        self.assertEqual((passed, failed), (1, ["//t S.b"]))

    def test_a_skipped_case_is_a_failed_one(self):
        path = self.write('<testsuites><testcase name="a" status="run" result="skipped"><skipped/></testcase>'
                          '<testcase name="c" status="notrun" result="suppressed"/></testsuites>')
        self.assertEqual(tally.tally([result("//t", "PASSED", path)]), (0, ["//t a", "//t c"]))

    def test_a_target_without_a_report_is_one_case(self):
        self.assertEqual(tally.tally([result("//t", "PASSED")]), (1, []))
        self.assertEqual(tally.tally([result("//t", "PASSED", "/nowhere.xml")]), (1, []))

    def test_a_target_that_timed_out_or_crashed_is_one_failed_case(self):
        path = self.write('<testsuites><testcase name="a" status="run"/></testsuites>')
        self.assertEqual(tally.tally([result("//t", "TIMEOUT")]), (0, ["//t (TIMEOUT)"]))
        self.assertEqual(tally.tally([result("//t", "FAILED", path)]), (1, ["//t (FAILED)"]))

    def test_a_target_that_did_not_build_is_one_failed_case(self):
        broken = {"id": {"targetCompleted": {"label": "//t"}}, "completed": {}}
        no_status = result("//t", "NO_STATUS")
        passed, failed = tally.tally([configured("//t"), broken, no_status])
        self.assertEqual((passed, failed), (0, ["//t (did not build)"]))

    def test_a_test_that_never_ran_is_one_failed_case(self):
        self.assertEqual(tally.tally([configured("//t")]), (0, ["//t (did not run)"]))

    def test_a_test_with_a_tag_that_is_left_out_may_not_run_but_must_build(self):
        left_out = configured("//t", ["local", "no_asan"])
        broken = {"id": {"targetCompleted": {"label": "//t"}}, "completed": {}}
        self.assertEqual(tally.tally([left_out], {"no_asan"}), (0, []))
        self.assertEqual(tally.tally([left_out], {"no_tsan"}), (0, ["//t (did not run)"]))
        self.assertEqual(tally.tally([left_out, broken], {"no_asan"}), (0, ["//t (did not build)"]))


class Result(unittest.TextTestResult):
    """Writes what Bazel reads: one <testcase> for each method."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.cases = []

    def stopTest(self, test):
        bad = any(test is case for case, _ in self.failures + self.errors)
        self.cases.append('<testcase name="%s">%s</testcase>' % (test.id(), "<failure/>" if bad else ""))
        super().stopTest(test)


if __name__ == "__main__":
    outcome = unittest.TextTestRunner(resultclass=Result).run(
        unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__]))
    if os.environ.get("XML_OUTPUT_FILE"):
        with open(os.environ["XML_OUTPUT_FILE"], "w", encoding="utf-8") as out:
            out.write("<testsuites><testsuite name=\"tally\">%s</testsuite></testsuites>" % "".join(outcome.cases))
    sys.exit(0 if outcome.wasSuccessful() else 1)
