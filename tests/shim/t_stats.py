#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `rqpi run --observe` and `--stats` report about stats_program, which does known things.

t_stats.py RQPI STATS_PROGRAM WRONG_LIBRARY. Output: TAP. Exit status: 0 unless a case failed.
RQT_CASE in the environment: only the case of that name.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from tap import Skip, equal, run_cases

RQPI, PROGRAM, WRONG = sys.argv[1:4]
SECONDS = 40
NEEDS_FIFO = 77


def run(options, scene, expect=0, environment=None):
    """The finished process; the report is not looked at."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RQPI_STATS")}
    env.update(environment or {})
    command = [*([RQPI, "run", *options, "--"] if options is not None else []), PROGRAM, scene]
    done = subprocess.run(command, env=env, timeout=SECONDS, check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode == NEEDS_FIFO:
        raise Skip("no right to SCHED_FIFO")
    assert done.returncode == expect, f"exit status {done.returncode}: {done.stderr}"
    return done


def report(options, scene, expect=0, environment=None):
    """The report of the only process, from JSON on standard error, and standard output."""
    done = run([*options, "--stats=json"], scene, expect, environment)
    return json.loads(done.stderr), done.stdout


def lock(told, symbol, kind="mutex"):
    found = [one for one in told["locks"] if one["symbol"] == symbol and one["kind"] == kind]
    assert len(found) == 1, f"{len(found)} locks {symbol}: {told['locks']}"
    return found[0]


def check_totals(told, **wanted):
    for name, value in wanted.items():
        equal(name, told["totals"][name], value)


def a_planted_inversion_is_told_by_names():
    told, _ = report(["--observe"], "inversion")
    row = lock(told, "the_lock")
    check_totals(told, mutexes=1, mutex_waits=1, inversions=1, boosts=0)
    equal("inversions", row["inversions"], 1)
    equal("waiter", row["worst"]["waiter"]["name"], "controller")
    equal("waiter", (row["worst"]["waiter"]["policy"], row["worst"]["waiter"]["priority"]),
          ("FIFO", 10))
    equal("holder", row["worst"]["holder"]["name"], "logger")
    equal("holder", row["worst"]["holder"]["policy"], "OTHER")
    equal("object", row["object"], os.path.basename(PROGRAM))
    assert 500_000 < row["inversion_ns"] == row["worst"]["ns"] < 5_000_000_000, row


def without_one_none_is_told():
    for scene in ("equals", "opposite"):
        told, _ = report(["--observe"], scene)
        check_totals(told, mutex_waits=1, inversions=0, boosts=0)


def with_inheritance_it_is_a_boost():
    told, _ = report(["--force-pi"], "inversion")
    row = lock(told, "the_lock")
    check_totals(told, mutex_waits=1, inversions=0, boosts=1)
    equal("protocol", (row["protocol"], row["made_pi"]), ("inherit", True))
    assert told["forced"]["made"] >= 1 and told["force_pi"], told


def what_force_pi_left_is_told():
    told, _ = report(["--force-pi", "--except=" + os.path.basename(PROGRAM)], "equals")
    equal("left", lock(told, "the_lock")["left"], "excepted")
    equal("protocol", lock(told, "the_lock")["protocol"], "none")
    equal("made_pi", lock(told, "the_lock")["made_pi"], False)
    assert told["forced"]["left_excepted"] >= 1, told


def locks_that_nobody_waits_for_are_not_told():
    told, _ = report(["--observe"], "no-waits")
    equal("locks", told["locks"], [])


def totals_are_what_the_program_did():
    for options in (["--observe"], [], ["--force-pi"]):
        told, _ = report(options, "counts")
        check_totals(told, mutex_waits=8, mutex_timeouts=3, cond_waits=8, cond_timeouts=2,
                     signals=9, broadcasts=1, met_nobody=4, with_mutex_held=1,
                     wakes_out_of_order=0, waiting_now=0, waits_of_locks_without_row=0,
                     waits_without_order=0)
        equal("waits of the_lock", lock(told, "the_lock")["waits"], 5)
        equal("waits of many_locks", lock(told, "many_locks")["waits"], 3)
        equal("mutex of the_cond", lock(told, "the_cond", "condvar")["mutex_symbol"], "the_lock")
        equal("sum of waits", told["totals"]["mutex_wait_ns"],
              sum(one["wait_ns"] for one in told["locks"] if one["kind"] == "mutex"))
        equal("observe", told["observe"], options == ["--observe"])


def wakes_out_of_order_are_seen():
    told, order = report(["--observe"], "order")
    if order.split()[1] == "40":
        raise Skip("this C library wakes in order here")
    row = lock(told, "the_cond", "condvar")
    equal("wakes_out_of_order", row["wakes_out_of_order"], 1)
    equal("overtaken", row["worst"]["overtaken"]["name"], "urgent")
    equal("by", row["worst"]["by"]["name"], "low")


def who_comes_too_late_is_not_overtaken():
    for options in (["--observe"], []):
        told, _ = report(options, "late")
        check_totals(told, cond_waits=2, signals=2, wakes_out_of_order=0)


def with_the_preload_there_are_none():
    for options in ([], ["--force-pi"]):
        told, order = report(options, "order")
        equal("order", order.split(), ["20", "40", "10"])
        check_totals(told, cond_waits=3, wakes_out_of_order=0)


def every_kind_answers_as_without():
    bare = run(None, "kinds").stdout
    assert bare.count("init 0") > 20, bare
    for options in (["--observe"], ["--stats"]):
        equal("what the kinds answer", run(options, "kinds").stdout, bare)


def that_comparison_can_fail():
    bare = run(None, "kinds").stdout
    wrong = run(None, "kinds", environment={"LD_PRELOAD": WRONG}).stdout
    assert bare != wrong, "a lock that answers EBUSY was not noticed"


def a_signal_asks_for_a_report():
    told, _ = report(["--observe", "--stats-signal=USR2"], "stuck", expect=-9)
    equal("written_at", told["written_at"], "signal")
    waiting = lock(told, "the_lock")["waiting_now"]
    equal("threads that wait", len(waiting), 1)
    equal("who waits", waiting[0]["waiter"]["name"], "stuck")
    equal("who has it", waiting[0]["holder"]["name"], "keeper")


def a_forked_child_begins_anew():
    with tempfile.TemporaryDirectory() as folder:
        name = os.path.join(folder, "out.json")
        run(["--observe", "--stats=json", "--stats-file=" + name], "fork")
        others = glob.glob(name + ".*")
        equal("files of children", len(others), 1)
        with open(name, encoding="ascii") as parent, open(others[0], encoding="ascii") as child:
            parent, child = json.load(parent), json.load(child)
        equal("name of the child's file", others[0], f"{name}.{child['pid']}")
        check_totals(parent, mutex_waits=3)
        check_totals(child, mutex_waits=1)
        equal("waiter", lock(child, "the_lock")["longest"]["waiter"]["name"], "offspring")


def a_child_of_vfork_reports_nothing():
    told, _ = report(["--observe"], "vfork")
    check_totals(told, mutex_waits=1)


def an_end_by_exit_without_destructors_is_reported():
    for scene in ("quick-end", "quick-end-c99"):
        told, _ = report(["--observe"], scene)
        check_totals(told, mutex_waits=1)


def a_full_table_is_told():
    told, _ = report(["--observe"], "many", environment={"RQPI_STATS_LOCKS": "2"})
    equal("rows", told["rows"], 2)
    check_totals(told, mutexes=2, mutex_waits=2, waits_of_locks_without_row=4)
    text = run(["--observe"], "many", environment={"RQPI_STATS_LOCKS": "2"}).stderr
    assert "table is full (RQPI_STATS_LOCKS=2): 4 waits" in text, text


def lives_of_a_mutex_are_told_apart_by_their_maker():
    told, _ = report(["--observe"], "lives")
    row = lock(told, "make_a_mutex")
    equal("place_is", row["place_is"], "made")
    equal("lives", (row["lives"], row["waits"], row["destroyed"]), (3, 3, True))


def a_cancelled_wait_is_counted():
    for options in (["--observe"], []):
        told, _ = report(options, "cancel")
        check_totals(told, cond_waits=1, cond_cancelled=1, waiting_now=0)


def names_of_threads_are_any_bytes():
    told, _ = report(["--observe"], "odd-names")
    equal("waiter", lock(told, "the_lock")["longest"]["waiter"]["name"], 'a"b\\c?d')
    text = run(["--observe"], "odd-names").stderr
    assert 'longest' in text and ': a"b\\c?d[' in text, text


def the_text_says_the_same():
    text = run(["--observe"], "inversion").stderr
    assert re.search(r"MUTEX the_lock \(\S+\), normal, does not inherit\n", text), text
    assert re.search(r"INVERSIONS 1, .*: controller\[\d+\] FIFO 10 waited for logger\[\d+\] OTHER",
                     text), text


def wrong_values_are_refused():
    for options, message in [
            (["--stats=xml"], "--stats=xml: neither text nor json"),
            (["--stats-file=x"], "--stats-file=x: means nothing without --stats or --observe"),
            (["--stats-signal=USR2"], "--stats-signal=USR2: means nothing without"),
            (["--stats", "--stats-signal=NONE"], "--stats-signal=NONE: there is no such signal"),
            (["--stats", "--stats-signal=RTMIN+99"], "RTMIN+99: there is no such signal"),
            (["--stats", "--stats-signal=KILL"], "--stats-signal=KILL: no program can catch it"),
            (["--stats", "--stats-file=/nowhere/x"], "--stats-file=/nowhere/x: No such file")]:
        said = run(options, "no-waits", expect=2).stderr
        assert message in said, f"{options}: {said}"
    said = run(["--observe"], "no-waits", environment={"RQPI_STATS_LOCKS": "all"}).stderr
    assert "RQPI_STATS_LOCKS=all: not a number" in said, said


CASES = [
    a_planted_inversion_is_told_by_names, without_one_none_is_told,
    with_inheritance_it_is_a_boost, what_force_pi_left_is_told,
    locks_that_nobody_waits_for_are_not_told, totals_are_what_the_program_did,
    wakes_out_of_order_are_seen, who_comes_too_late_is_not_overtaken,
    with_the_preload_there_are_none, every_kind_answers_as_without, that_comparison_can_fail,
    a_signal_asks_for_a_report, a_forked_child_begins_anew, a_child_of_vfork_reports_nothing,
    an_end_by_exit_without_destructors_is_reported, a_full_table_is_told,
    lives_of_a_mutex_are_told_apart_by_their_maker, a_cancelled_wait_is_counted,
    names_of_threads_are_any_bytes, the_text_says_the_same, wrong_values_are_refused,
]


if __name__ == "__main__":
    sys.exit(run_cases(CASES))
