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
    """In how many of the processes that were seen the preload was at work."""
    if result["mode"] == "libc" or "processes" not in result:
        return ""
    return f"{result['active']} of {result['processes']}"


def sleepers(result):
    asleep = result.get("asleep") or {}
    return ", ".join(f"{asleep[kind]} {kind}" for kind in ("requeue_pi", "lock_pi", "wait")
                     if asleep.get(kind))


def line(result):
    text = f"{result['program']:<19} {result['mode']:<9} {result['result']:<8}"
    if result["result"] == "skipped":
        return f"{text} {result['why']}"
    text += f"{result['seconds']:6.1f} s  {figure(result)}"
    details = [f"preload at work in {preload_seen(result)}" if preload_seen(result) else "",
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

This run: {machine}, {cpus} CPUs, Linux {kernel}, {libc}. {passed} passed, {failed} failed, \
{skipped} skipped.

- *At work in*: of the program's processes, as many as had the preload mapped and active, seen from
  outside in `/proc/PID/maps` and `/proc/PID/mem`. A run in which a process had it not, or none was
  seen, has failed.
- *Seen asleep*: threads that were met asleep in a futex operation, in samples of `/proc`.
  `requeue_pi` is a wait on a condvar that is rqpi's; `lock_pi` a wait for a PI mutex; `wait` is
  everything else, and libc's condvars and semaphores are among it. Samples miss short sleeps.
- *Measured*: beside it, in brackets, the ratio to the control's. One short run each, on a machine
  that does other things too: no benchmark, see [benchmarks.md](benchmarks.md) for those.

| program | package | mode | result | at work in | seen asleep | measured (to libc's) |
|---|---|---|---|---|---|---|
"""


def write_document(path, results):
    count = {kind: sum(r["result"] == kind for r in results)
             for kind in ("passed", "failed", "skipped")}
    text = HEAD.format(machine=cpu_name(), cpus=os.cpu_count(), kernel=".".join(platform.release().split(".")[:2]),
                       libc=" ".join(platform.libc_ver()), **count)
    control = None
    for result in results:
        if result["mode"] == "libc":
            control = result
        elif control and control["program"] != result["program"]:
            control = None
        cells = [result["program"], f"{result['package']} {result['version'] or ''}".strip(),
                 result["mode"], result["result"], preload_seen(result), sleepers(result),
                 beside_control(result, control)]
        text += "| " + " | ".join(cells) + " |\n"
    remarks = [f"- {r['program']}, {r['mode']}: {r['result']}: {r['why']}." for r in results
               if r["why"]]
    if remarks:
        text += "\n## Not passed\n\n" + "\n".join(remarks) + "\n"
    text += "\n## What was looked at\n\n"
    for result in results:
        if result["mode"] == "libc":
            checks = "; ".join(result.get("checks") or ["nothing, see above"])
            text += f"- **{result['program']}** ({result['what']}): {checks}.\n"
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
