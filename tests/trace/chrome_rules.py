#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is a file one in Chrome's trace event format that its readers take as it is meant?

chrome_rules.py FILE: of the rules of the format, those that a reader punishes by leaving out what
breaks them. Prints each that is broken, with the event, and a line with the counts at the end.
Imported by t_chrome.py. Exit status: 0 all kept, 1 one is broken, 2 cannot look.
"""

import collections
import json
import sys

PHASES = {"X", "M", "i", "s", "f"}
SHOWN = 20


def nanoseconds(us):
    """Of a time in microseconds, which may be off by less than half a nanosecond."""
    return int(us * 1000 + 0.5)


def no_constant(text):
    raise ValueError(f"{text} is no JSON")


def unique(pairs):
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the name {name!r} twice in an object")
    return dict(pairs)


class Rules:
    def __init__(self, data):
        self.broken = []
        text = data.decode("utf-8")  # a byte that is not UTF-8 is a ValueError
        self.trace = json.loads(text, parse_constant=no_constant, object_pairs_hook=unique)
        if not isinstance(self.trace, dict) or not isinstance(self.trace.get("traceEvents"), list):
            raise ValueError("no object with traceEvents")
        self.events = self.trace["traceEvents"]
        self.by_phase = collections.defaultdict(list)
        self.tracks = collections.defaultdict(list)

    def breaks(self, rule, event):
        self.broken.append(f"{rule}: {json.dumps(event)[:200]}")

    def check(self):
        if self.trace.get("displayTimeUnit") not in ("ms", "ns"):
            self.broken.append("displayTimeUnit is neither ms nor ns")
        for event in self.events:
            if self.check_fields(event):
                self.by_phase[event["ph"]].append(event)
        for event in self.by_phase["X"]:
            begin = nanoseconds(event["ts"])
            self.tracks[event["pid"], event["tid"]].append(
                (begin, begin + nanoseconds(event["dur"]), event))
        self.check_names()
        self.check_nesting()
        self.check_flows()
        self.check_waits()
        return self.broken

    def check_fields(self, event):
        before = len(self.broken)
        if not isinstance(event, dict) or event.get("ph") not in PHASES:
            self.breaks("no event of a phase that is used", event)
            return False
        for field in ("pid", "tid"):
            number = event.get(field)
            if isinstance(number, bool) or not isinstance(number, int) \
                    or not 0 < number < 1 << 31:
                self.breaks(f"{field} is no number of a process or thread", event)
        if not isinstance(event.get("name"), str) or not event["name"]:
            self.breaks("no name", event)
        for field in {"X": ("ts", "dur"), "M": ()}.get(event["ph"], ("ts",)):
            number = event.get(field)
            if isinstance(number, bool) or not isinstance(number, (int, float)) or number < 0:
                self.breaks(f"{field} is no time, or before the begin", event)
            elif int(number * 1000.0) != nanoseconds(number):
                self.breaks(f"{field}: who cuts it off loses a nanosecond", event)
        if event["ph"] == "i" and event.get("s") not in ("g", "p", "t"):
            self.breaks("an instant without a scope", event)
        return len(self.broken) == before

    def check_names(self):
        processes, threads = {}, {}
        for event in self.by_phase["M"]:
            name = event.get("args", {}).get("name")
            if event["name"] == "process_name":
                known, key = processes, event["pid"]
            elif event["name"] == "thread_name":
                known, key = threads, (event["pid"], event["tid"])
            else:
                continue
            if key in known:
                self.breaks("named twice", event)
            if not isinstance(name, str) or not name:
                self.breaks("an empty name", event)
            known[key] = name
        for phase in "Xisf":
            for event in self.by_phase[phase]:
                if event["pid"] not in processes:
                    self.breaks("a process without a name", event)
                if (event["pid"], event["tid"]) not in threads:
                    self.breaks("a thread without a name", event)
        # Perfetto knows threads by this number alone.
        for tid, times in collections.Counter(tid for _, tid in threads).items():
            if times > 1:
                self.broken.append(f"thread {tid} is in {times} processes")

    def check_nesting(self):
        """In the order in which readers see them: by time, and then as in the file."""
        for slices in self.tracks.values():
            open_until = []
            for begin, end, event in sorted(slices, key=lambda s: s[0]):
                while open_until and open_until[-1] <= begin:
                    open_until.pop()
                if open_until and event.get("cat") == "wait":
                    self.breaks("a wait in another one, as if it were a part of it", event)
                if open_until and end > open_until[-1]:
                    self.breaks("a slice ends after the one that it is in", event)
                else:
                    open_until.append(end)

    def inside(self, event):
        ns = nanoseconds(event["ts"])
        return any(begin <= ns <= end
                   for begin, end, _ in self.tracks[event["pid"], event["tid"]])

    def check_flows(self):
        flows = collections.defaultdict(list)
        for number, event in enumerate(self.events):
            if isinstance(event, dict) and event.get("ph") in ("s", "f"):
                flows[event.get("cat"), event["name"], event.get("id")].append((number, event))
        for parts in flows.values():
            first = parts[0][1]
            if first.get("id") is None:
                self.breaks("an arrow without an id", first)
            if [event["ph"] for _, event in parts] != ["s", "f"]:
                self.breaks("an arrow is not one s and then one f", first)
                continue
            last = parts[1][1]
            if nanoseconds(last["ts"]) < nanoseconds(first["ts"]):
                self.breaks("an arrow goes back in time", last)
            if last.get("bp") != "e":
                self.breaks("an arrow ends in the next slice instead of this one", last)
            for _, event in parts:
                if not self.inside(event):
                    self.breaks("an end of an arrow is in no slice", event)

    def check_waits(self):
        """Each wait is there once among the locks; once among the threads; an inversion is told."""
        other = self.trace.get("otherData", {})
        waits = other.get("waits")
        for category in ("wait", "thread"):
            told = sorted(event["args"]["wait"] for event in self.by_phase["X"]
                          if event.get("cat") == category and "wait" in event.get("args", {}))
            if told != list(range(waits or 0)):
                self.broken.append(f"{len(told)} waits with category {category}, not each of the "
                                   f"{waits} once")
        marked = [event for event in self.by_phase["X"] if event.get("cat") == "wait"
                  and event["args"].get("inversion")]
        for event in marked:
            if "INVERSION" not in event["name"] or event.get("cname") != "terrible":
                self.breaks("an inversion is not marked", event)
        instants = [event for event in self.by_phase["i"] if event.get("cat") == "inversion"]
        if not len(marked) == len(instants) == other.get("inversions"):
            self.broken.append(f"{len(marked)} inversions, {len(instants)} instants, "
                               f"{other.get('inversions')} said")


def main(args):
    if len(args) != 1:
        raise ValueError("usage: chrome_rules.py FILE")
    with open(args[0], "rb") as stream:
        rules = Rules(stream.read())
    broken = rules.check()
    for line in broken[:SHOWN]:
        print(line)
    if len(broken) > SHOWN:
        print(f"and {len(broken) - SHOWN} more")
    print(f"{len(rules.events)} events, {len(rules.by_phase['X'])} slices in {len(rules.tracks)} "
          f"tracks, {len(rules.by_phase['s'])} arrows, {len(rules.by_phase['i'])} instants: "
          f"{len(broken)} rules broken")
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError) as error:
        print(f"chrome_rules: {error}", file=sys.stderr)
        sys.exit(2)
