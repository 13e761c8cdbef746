# SPDX-License-Identifier: MIT
"""Tests in Python: their output is TAP. Found by way of sys.path, as tests/trace/t_trace.py
does."""

import os
import sys


class Skip(Exception):
    """The case cannot run here; its text says why."""


def equal(what, there, wanted):
    assert there == wanted, f"{what} is {there}, not {wanted}"


def run_cases(cases):
    """Run functions, each a case called as it is, or the one that RQT_CASE names. A case fails by
    any exception but Skip. Returns the exit status."""
    failed = 0
    only = os.environ.get("RQT_CASE")
    cases = [case for case in cases if only in (None, case.__name__)]
    assert cases, f"RQT_CASE={only}: there is no such case"
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        try:
            case()
            print(f"ok {number} - {case.__name__}")
        except Skip as why:
            print(f"ok {number} - {case.__name__} # SKIP {why}")
        except Exception as why:  # whatever it is, the other cases are run
            failed += 1
            print(f"not ok {number} - {case.__name__}")
            for line in f"{type(why).__name__}: {why}".split("\n"):
                print("# " + line)
        sys.stdout.flush()
    return 1 if failed else 0


class Tap:
    """Cases that are told one by one; the plan comes last, as "1..{tap.number}"."""

    def __init__(self):
        self.number = self.bad = 0

    def ok(self, passed, what, *notes):
        self.number += 1
        print(f"{'ok' if passed else 'not ok'} {self.number} - {what}")
        if not passed:
            self.bad += 1
            for note in notes:
                print(f"# {str(note)[:600]}")
