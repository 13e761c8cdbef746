# SPDX-License-Identifier: MIT
"""What scripts/programs.py prints: a line for each run, TAP, and docs/programs.md."""

import os
import platform
import re


def figure(result):
    value, unit = result.get("figure") or (None, "")
    if value is None:
        return ""
    return f"{value:,.0f} {unit}".replace(",", " ") if value >= 100 else f"{value:.1f} {unit}"


def preload_seen(result):
    """In how many processes the preload was seen at work."""
    if result["mode"] == "libc" or "active" not in result:
        return ""
    short = f", {result['short']} too short to tell" if result["short"] else ""
    return f"{result['active']}{short}"


def sleepers(result):
    asleep = result.get("asleep") or {}
    return ", ".join(f"{asleep[kind]} {kind}" for kind in ("requeue_pi", "lock_pi", "wait")
                     if asleep.get(kind))


WORDS = {"made": "made PI", "were": "PI already", "excepted": "excepted",
         "protect": "left: PRIO_PROTECT", "elsewhere": "left: made elsewhere",
         "locked": "left: found locked", "unknown": "left: unknown kind",
         "unlocked_by_others": "unlocks by others", "refused_to_others": "such unlocks refused",
         "locked_twice": "locked twice by the owner"}


def forced(result):
    """What --force-pi did to mutexes."""
    if result["mode"] != "force-pi":
        return ""
    counts = result.get("forced") or {}
    return ", ".join(f"{counts[name]} {text}" for name, text in WORDS.items() if counts.get(name))


def line(result):
    text = f"{result['program']:<19} {result['mode']:<9} {result['result']:<8}"
    if result["result"] == "skipped":
        return f"{text} {result['why']}"
    text += f"{result['seconds']:6.1f} s  {figure(result)}"
    details = [f"preload at work in {preload_seen(result)}" if preload_seen(result) else "",
               f"mutexes: {forced(result)}" if forced(result) else "",
               f"seen asleep: {sleepers(result)}" if sleepers(result) else "", result["why"]]
    details += [f"said: {remark}" for remark in result["remarks"]]
    text = "; ".join([text] + [detail for detail in details if detail])
    return "\n".join([text] + ["    " + tail for tail in result["tails"]])


def tap(number, result):
    name = f"{result['program']}, {result['mode']}"
    if result["result"] == "skipped":
        return f"ok {number} - {name} # SKIP {result['why']}"
    verdict = "not ok" if result["result"] == "failed" else "ok"
    diagnosis = [line(result).split("\n", maxsplit=1)[0]] + result["tails"]
    return "\n".join([f"{verdict} {number} - {name}"] + ["# " + text for text in diagnosis])


def beside_control(result, control):
    """The figure, and its ratio to the control's."""
    text = figure(result)
    if not text or result is control or not control or not control.get("figure"):
        return text
    return f"{text} ({result['figure'][0] / control['figure'][0]:.2f})"


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:
            return re.search(r"^model name\s*: (.*)$", stream.read(), re.M).group(1)
    except (OSError, AttributeError):
        return "unknown processor"


HEAD = """\
# Programs of Debian under the preload

Made by `make programs` (`scripts/programs.py`), which starts each program three times: without the
preload (*libc*), under `rqpi run` (*default*) and under `rqpi run --force-pi` (*force-pi*).
`make check` does the same. What a program has to have done is written in `tests/programs/`; a good
exit status is never enough.

This run: {machine}, {cpus} CPUs, Linux {kernel}, {libc}; load averages at its end, its own load
among it, {load}. {passed} passed, {failed} failed, {skipped} skipped.

- *At work in*: in so many of the program's processes the preload was mapped and active, seen from
  outside in `/proc/PID/maps` and `/proc/PID/mem`. A run in which a process had libc and not the
  preload, or one that had stepped aside, or in which none was seen with it, has failed.
- *Mutexes*: what `--force-pi` had done when the program was last looked at, in the process with
  most of them. Mutexes of the last moment are not in it.
- *Seen asleep*: threads that were met asleep in a futex operation, in samples of `/proc`, which
  miss short sleeps. `requeue_pi` is a wait on a condvar from which the kernel hands the mutex over,
  `lock_pi` a wait for a PI mutex. `wait` is everything else: semaphores, libc's condvars, and under
  `--force-pi` the condvar waits of threads that are not real-time threads.
- *Measured*: beside it, in brackets, the ratio to the control's. One short run each, on a machine
  that does other things too: no benchmark, see [benchmarks.md](benchmarks.md) for those.

| program | mode | result | at work in | mutexes | seen asleep | measured (to libc's) |
|---|---|---|---|---|---|---|
"""


def write_document(path, results):
    count = {kind: sum(r["result"] == kind for r in results)
             for kind in ("passed", "failed", "skipped")}
    text = HEAD.format(machine=cpu_name(), cpus=os.cpu_count(),
                       load=", ".join(f"{n:.0f}" for n in os.getloadavg()),
                       kernel=".".join(platform.release().split(".")[:2]),
                       libc=" ".join(platform.libc_ver()), **count)
    control = None
    for result in results:
        if result["mode"] == "libc":
            control = result
        elif control and control["program"] != result["program"]:
            control = None
        cells = [result["program"], result["mode"], result["result"], preload_seen(result),
                 forced(result), sleepers(result), beside_control(result, control)]
        text += "| " + " | ".join(cells) + " |\n"
    remarks = [f"- {r['program']}, {r['mode']}: {r['result']}: {r['why']}." for r in results
               if r["why"]]
    if remarks:
        text += "\n## Not passed\n\n" + "\n".join(remarks) + "\n"
    notes = [f"- {r['program']}, {r['mode']}: {r['note']}." for r in results if r.get("note")]
    notes += [f"- {r['program']}, {r['mode']}: the preload said: {remark}." for r in results
              for remark in r.get("remarks", [])]
    if notes:
        text += "\n## Notes\n\n" + "\n".join(notes) + "\n"
    text += "\n## What was looked at\n\n"
    for result in results:
        if result["mode"] == "libc":
            checks = "; ".join(result.get("checks") or ["nothing, see above"])
            text += (f"- **{result['program']}** ({result['package']} {result['version'] or ''}): "
                     f"{result['what']}. {checks}.\n")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
