# SPDX-License-Identifier: MIT
"""Virtual machines of languages: a JVM, CPython. Table at the end; used by scripts/programs.py."""

import os
import re

import realtime

HERE = os.path.dirname(os.path.abspath(__file__))
JAVA_PARTS = 9
PYTHON = "/usr/bin/python3.11" # Debian's own: the test suite belongs to it
PYTHON_TESTS = ["test_threading", "test_thread", "test_queue", "test_threadsignals",
                "test_threading_local", "test_threadedtempfile"]


def java(collector, front=()):
    def run(place):
        status, _ = place.run("javac", ["javac", "-d", place.folder,
                                        os.path.join(HERE, "Threads.java")])
        place.check("javac: exit status 0", status == 0)
        status, out = place.run("java", [*front, "java", f"-XX:+Use{collector}GC", "-Xmx256m",
                                         "-cp", place.folder, "Threads"])
        right = len(re.findall(r"^ok ", out, re.M))
        place.check("java: exit status 0", status == 0)
        place.check(f"{right} of {JAVA_PARTS} results are right",
                    right == JAVA_PARTS and "WRONG" not in out)
        rate = re.search(r"^(\d+) items in (\d+) ms", out, re.M)
        if place.check("it came to its end", rate):
            place.measured(int(rate.group(1)) / int(rate.group(2)) * 1000, "items/s")
    return run


def java_realtime(place):
    """The limit is kept by a process that is more urgent."""
    realtime.need_realtime()
    java("Parallel", ["chrt", "-r", "2", "timeout", "-s", "KILL", "60", "chrt", "-r", "1"])(place)


def cpython(place):
    runs = {
        "threads": ["-j2", *PYTHON_TESTS],
        "pools": ["-m", "ThreadPool*", "test_concurrent_futures"],
    }
    started = {name: place.start(name, [PYTHON, "-m", "test", "-v", *arguments])
               for name, arguments in runs.items()}
    ran = 0
    for name, process in started.items():
        status = place.wait(process)
        out = place.said(name + ".out")
        ran += sum(int(n) for n in re.findall(r"^Ran (\d+) tests? in", out, re.M))
        place.check(f"{name}: exit status 0", status == 0)
        place.check(f"{name}: its result is SUCCESS", "Tests result: SUCCESS" in out)
    place.check(f"{ran} tests ran", ran > 150)


# name: (Debian package, what runs, limit in seconds, names of the running files, function)
TABLE = {
    "java-parallel": ("openjdk-17-jdk-headless",
                      "javac, then java.util.concurrent; parallel collector", 90,
                      ["java", "javac"], java("Parallel")),
    "java-g1": ("openjdk-17-jdk-headless", "the same; concurrent collector G1", 90,
                ["java", "javac"], java("G1")),
    "java-realtime": ("openjdk-17-jdk-headless", "the same; all threads SCHED_RR, priority 1", 90,
                      ["java"], java_realtime),
    "cpython": ("libpython3.11-testsuite", "test_threading and others; test_concurrent_futures",
                150, ["python3.11"], cpython),
}
