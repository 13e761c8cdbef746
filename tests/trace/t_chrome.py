#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""t_chrome.py MADE_TRACE: timelines of models filled in by hand keep the rules of Chrome's trace
event format, as chrome_rules.py has them; and it refuses files in which one is broken.

Output: TAP. Exit status: 0 all passed, 1 a case failed.
"""

import copy
import json
import os
import subprocess
import sys
import tempfile

import chrome_rules

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
from tap import Tap

SCENES = ("inversion", "crowd", "names", "preload", "empty", "big")
SECONDS = 120


def slices(trace, category):
    return [e for e in trace["traceEvents"] if e["ph"] == "X" and e["cat"] == category]


def first(trace, phase, **fields):
    for event in trace["traceEvents"]:
        if event["ph"] == phase and all(event.get(key) == fields[key] for key in fields):
            return event
    raise LookupError(f"no {phase} with {fields}")


def overlap(trace):
    """The first two of a lock that lie beside one another, half over one another."""
    one, two = slices(trace, "cpu")[:2]
    one["dur"] = two["ts"] - one["ts"] + 1
    assert one["tid"] == two["tid"]


def same_lane(trace):
    """Two that wait at once, as if one were a part of the other."""
    one, two = slices(trace, "wait")[:2]
    two["tid"], two["ts"], two["dur"] = one["tid"], one["ts"], one["dur"]


def later_end(trace):
    """A nanosecond is enough."""
    inner = [e for e in slices(trace, "thread") if e["name"].startswith("runs")][1]
    inner["dur"] += 10000


def lose(phase):
    def change(trace):
        trace["traceEvents"].remove(first(trace, phase))
    return change


def lose_name(what):
    def change(trace):
        trace["traceEvents"].remove(first(trace, "M", name=what))
    return change


def give(phase, key, value):
    def change(trace):
        first(trace, phase)[key] = value
    return change


def back_in_time(trace):
    first(trace, "f")["ts"] = first(trace, "s")["ts"] - 1


def swap(trace):
    events = trace["traceEvents"]
    a, b = events.index(first(trace, "s")), events.index(first(trace, "f"))
    events[a], events[b] = events[b], events[a]


def lose_wait(category):
    def change(trace):
        trace["traceEvents"].remove([e for e in slices(trace, category) if "wait" in e["args"]][0])
    return change


def unmark(trace):
    event = [e for e in slices(trace, "wait") if "INVERSION" in e["name"]][0]
    event["name"] = event["name"].replace("INVERSION: ", "")


def same_thread_twice(trace):
    """The number of a thread again, in another process."""
    old = first(trace, "M", name="thread_name")
    other = next(e for e in trace["traceEvents"]
                 if e["name"] == "thread_name" and e["pid"] != old["pid"])
    for event in trace["traceEvents"]:
        if (event["pid"], event["tid"]) == (other["pid"], other["tid"]):
            event["tid"] = old["tid"]


# What is wrong, and what the refusal has to name.
WRONG = [
    ("slices half over one another", overlap, "ends after the one"),
    ("two waits in one lane", same_lane, "as if it were a part"),
    ("a slice longer than the one around it", later_end, "ends after the one"),
    ("an arrow without an end", lose("f"), "not one s and then one f"),
    ("an arrow without a begin", lose("s"), "not one s and then one f"),
    ("an arrow that ends first in the file", swap, "not one s and then one f"),
    ("an arrow back in time", back_in_time, "back in time"),
    ("an arrow out of nowhere", give("s", "ts", 11990), "is in no slice"),
    ("an arrow into the next slice", give("f", "bp", "n"), "in the next slice"),
    ("an arrow without an id", lambda t: [first(t, p).pop("id") for p in "sf"], "without an id"),
    ("a time before the begin", give("X", "ts", -1), "before the begin"),
    ("a length before nothing", give("X", "dur", -0.001), "before the begin"),
    ("a time that loses a nanosecond", give("X", "ts", 1.001), "loses a nanosecond"),
    ("a time that is text", give("X", "ts", "12"), "no time"),
    ("a process without a name", lose_name("process_name"), "a process without a name"),
    ("a thread without a name", lose_name("thread_name"), "a thread without a name"),
    ("one thread in two processes", same_thread_twice, "is in 2 processes"),
    ("process 0, which is idle", give("X", "pid", 0), "no number"),
    ("a wait that is not there", lose_wait("wait"), "not each of the 4 once"),
    ("a wait that its thread does not show", lose_wait("thread"), "not each of the 4 once"),
    ("an inversion like any other wait", unmark, "not marked"),
    ("an inversion without its instant", lose("i"), "0 instants"),
    ("an instant of no scope", give("i", "s", "x"), "without a scope"),
    ("a phase that nobody knows", give("i", "ph", "?"), "no event of a phase"),
    ("no unit", lambda t: t.pop("displayTimeUnit"), "displayTimeUnit"),
]

# Files that are no JSON, or no trace.
NO_TRACE = [
    ("a byte that is not UTF-8", b'{"traceEvents":[{"name":"\xff"}]}'),
    ("a file that was cut off", b'{"traceEvents":[{"name":"a"}'),
    ("a comma at the end", b'{"traceEvents":[],}'),
    ("a control character", b'{"traceEvents":["\x01"]}'),
    ("NaN", b'{"traceEvents":[{"ts":NaN}]}'),
    ("a name twice", b'{"traceEvents":[{"ts":1,"ts":2}]}'),
    ("an array alone", b"[]"),
]


def main(made):
    tap = Tap()
    good = b""
    with tempfile.TemporaryDirectory() as folder:
        for scene in SCENES:
            path = os.path.join(folder, scene)
            subprocess.run([made, "chrome", scene, path], check=True, timeout=SECONDS)
            with open(path, "rb") as stream:
                data = stream.read()
            broken = chrome_rules.Rules(data).check()
            tap.ok(not broken, f"scene {scene} keeps the rules", *broken[:5])
            good = data if scene == "inversion" else good
    trace = json.loads(good)
    for what, change, named in WRONG:
        wrong = copy.deepcopy(trace)
        change(wrong)
        broken = chrome_rules.Rules(json.dumps(wrong).encode()).check()
        tap.ok(any(named in line for line in broken), f"refused: {what}", *broken)
    for what, data in NO_TRACE:
        try:
            chrome_rules.Rules(data)
            refused = False
        except ValueError:
            refused = True
        tap.ok(refused, f"refused: {what}")
    print(f"1..{tap.number}")
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
