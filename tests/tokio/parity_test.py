"""Compares docs/sdk/tokio-parity.md with the cases that the parity tests list themselves.

  parity_test.py PAGE TEST_PROGRAM...

Every case the page calls ported must exist in the suite named after its file; every case of the programs must be on the
page as ported, except in the suites that the page calls Kaido's own; and the page's sums must be right.
"""

import collections
import re
import subprocess
import sys
import unittest

PORTED = "ported"


def read_page(text):
    """{suite: {case: status}} of the page's tables, and its reasons."""
    suites, reasons, suite = collections.OrderedDict(), set(), None
    for line in text.splitlines():
        heading = re.match(r"### (\S+)$", line)
        if heading:
            suite = heading.group(1).split("/")[-1]
            assert suite not in suites, "the page names %s twice" % suite
            suites[suite] = collections.OrderedDict()
            continue
        row = re.match(r"\| `([^`]+)` \| ([^|]+) \|$", line)
        if row and suite:
            case = row.group(1).replace("::", "__")
            assert case not in suites[suite], "%s.%s is on the page twice" % (suite, case)
            suites[suite][case] = row.group(2)
        elif suite is None:
            reason = re.match(r"\| ([^|]+) \| [^|]+ \|$", line)
            if reason:
                reasons.add(reason.group(1))
    return suites, reasons


def own_suites(text):
    """The suites that are Kaido's own."""
    return set(re.findall(r"^- suite `(\w+)`", text, re.M))


def listed_cases(program):
    """{suite: {case}} of one test program; a parameterised case counts once."""
    text = subprocess.run([program, "--gtest_list_tests"], check=True, capture_output=True, text=True).stdout
    cases, suite = collections.defaultdict(set), None
    for line in text.splitlines():
        name = line.split("#")[0].rstrip()
        if name.endswith(".") and not name.startswith(" "):
            suite = name[:-1].split("/")[-1] if re.match(r"\w+/[A-Za-z]", name) else name[:-1].split("/")[0]
        elif name.startswith("  ") and suite:
            cases[suite].add(name.strip().split("/")[0])
    return cases


class Parity(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        with open(cls.page, encoding="utf-8") as page:
            cls.text = page.read()
        cls.suites, cls.reasons = read_page(cls.text)
        cls.cases = collections.defaultdict(set)
        for program in cls.programs:
            for suite, cases in listed_cases(program).items():
                cls.cases[suite] |= cases

    def test_the_programs_list_cases(self):
        self.assertGreater(sum(len(cases) for cases in self.cases.values()), 0)

    def test_every_ported_case_exists(self):
        missing = ["%s.%s" % (suite, case) for suite, cases in self.suites.items() for case, status in cases.items()
                   if status == PORTED and case not in self.cases[suite]]
        self.assertEqual(missing, [], "on the page as ported, and in no test program")

    def test_every_case_is_on_the_page(self):
        own = own_suites(self.text)
        unknown = ["%s.%s" % (suite, case) for suite, cases in sorted(self.cases.items()) for case in sorted(cases)
                   if suite not in own and self.suites.get(suite, {}).get(case) != PORTED]
        self.assertEqual(unknown, [], "in a test program, and not on the page as ported")

    def test_every_reason_is_explained(self):
        for suite, cases in self.suites.items():
            for case, status in cases.items():
                self.assertIn(status, self.reasons | {PORTED}, "%s.%s" % (suite, case))

    def test_the_sums_are_right(self):
        cases = sum(len(cases) for cases in self.suites.values())
        ported = sum(status == PORTED for cases in self.suites.values() for status in cases.values())
        self.assertIn("| **all** | %d | %d | %d |" % (len(self.suites), cases, ported), self.text)


if __name__ == "__main__":
    Parity.page = sys.argv[1]
    Parity.programs = sys.argv[2:]
    unittest.main(argv=sys.argv[:1])
