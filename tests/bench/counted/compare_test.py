"""Callgrind's output is read rightly, and a count is judged as README.md in tests/bench says."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import instructions  # noqa: E402
from callgrind import Profile  # noqa: E402

OUTPUT = """version: 1
positions: line
events: Ir
summary: 170

fl=(1) a.cc
fn=(1) main
10 20
cfn=(2) measured_local
calls=2 3
11 100
cfn=(3) helper
calls=1 9
+1 5

fn=(2)
3 40
+2 10
cfn=(3)
calls=4 9
* 50

fn=(3)
9 45
totals: 170
"""

BASELINE = {row: 1000 for row in instructions.ROWS}


class CallgrindOutput(unittest.TestCase):
    def test_a_functions_cost_is_that_of_all_its_calls(self):
        profile = Profile(OUTPUT)
        self.assertEqual(profile.under("measured_local"), 100)
        self.assertEqual(profile.under("helper"), 55)
        self.assertEqual(profile.own, {"main": 20, "measured_local": 50, "helper": 45})

    def test_a_function_that_was_never_called_costs_nothing(self):
        self.assertEqual(Profile(OUTPUT).under("measured_worker"), 0)


class Shares(unittest.TestCase):
    SHARE = instructions.Share(part="local", entries=("measured_local",), others=("helper",))
    NAMED = OUTPUT.replace(" measured_local", " measured_local(int)").replace(" helper", " helper()")

    def test_a_share_is_what_its_entries_cost_without_what_they_hand_on(self):
        self.assertEqual(instructions.share_of(Profile(self.NAMED), self.SHARE), 100 - 55)

    def test_a_function_that_is_gone_makes_it_nothing(self):
        for old in ("measured_local(", "helper("):
            gone = Profile(self.NAMED.replace(old, "other("))
            self.assertEqual(instructions.share_of(gone, self.SHARE), 0)


class Judgement(unittest.TestCase):
    def test_a_twentieth_more_is_borne(self):
        self.assertEqual(instructions.compare({**BASELINE, "origin": 1050}, BASELINE), [])

    def test_more_is_a_complaint_that_names_the_part_and_both_counts(self):
        self.assertEqual(instructions.compare({**BASELINE, "origin": 1051}, BASELINE),
                         ["origin: 1051 instructions a call, +5.1 % beyond the baseline's 1000"])

    def test_less_is_no_complaint(self):
        self.assertEqual(instructions.compare({**BASELINE, "local": 10}, BASELINE), [])

    def test_a_part_that_the_baseline_does_not_know_is_a_complaint(self):
        known = {part: 1000 for part in instructions.ROWS if part != "client"}
        self.assertEqual(instructions.compare(BASELINE, known), ["client: not in the baseline"])

    def test_the_remedy_says_how_and_asks_for_the_reason(self):
        self.assertIn("bazel run //tests/bench:count_instructions -- --update", instructions.REMEDY)
        self.assertIn("say in the commit why", instructions.REMEDY)


if __name__ == "__main__":
    unittest.main()
