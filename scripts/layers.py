#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are the layers kept? Looks at includes and identifiers of the source, and at built symbols.

layers.py [BUILD-DIR]: without a BUILD-DIR only the source is looked at. An arrow points down only:

    tools/rqpi tests bench  ->  src/shim  ->  src/user  ->  src/sys  ->  src/base  ->  include/rqpi
    src/host  ->  src/engine (by include/rqpi alone)  ->  src/base

The tables below are the rules; to change a layer, change them in the same commit and say why.
Exit status: 0 all kept, 1 a rule is broken, 2 cannot look.
"""

import json
import os
import re
import subprocess
import sys

import tree

PUBLIC = "include/rqpi/"
USER_HALF = [PUBLIC + name for name in ("base.h", "mutex.h", "cond.h")]
ENGINE_API = [PUBLIC + name for name in ("base.h", "engine.h", "port.h", "trace.h")]
EVERYTHING = [PUBLIC, "src/", "sim/", "tools/rqpi/", "bench/", "conform/", "tests/", "examples/"]

# Folder: what its files may include beside the folder itself. A name that ends in / is a whole
# folder. The longest folder that fits decides.
INCLUDES = {
    PUBLIC: [],
    PUBLIC + "mutex.hpp": [PUBLIC],
    PUBLIC + "condition_variable.hpp": [PUBLIC],
    PUBLIC + "compat/": [PUBLIC],
    "src/base/": [PUBLIC + "base.h"],
    "src/base/probe.h": [PUBLIC + "base.h"],
    "src/engine/": ["src/base/", *ENGINE_API],
    "src/sys/": ["src/base/", *ENGINE_API, PUBLIC + "host.h"],
    "src/host/": ["src/base/", *ENGINE_API, PUBLIC + "host.h"],
    "src/user/": ["src/sys/sys.h", "src/base/", *USER_HALF],
    "src/shim/": ["src/user/", "src/sys/sys.h", "src/base/", *USER_HALF, PUBLIC + "host.h"],
    # The preload of the engine: above the host port, not above the user half.
    "src/shim/futex_shim.c": ["src/host/", "src/base/", *ENGINE_API, PUBLIC + "host.h"],
    "sim/": [PUBLIC, "src/base/", "src/sys/", "src/user/user.h"],
    # What the engine's and the library's memory is called in a report.
    "sim/describe.c": ["sim/", PUBLIC, "src/base/", "src/sys/", "src/user/", "src/engine/rqk.h"],
    # It names the states of a hand-shake that the engine keeps to itself.
    "sim/coverage.c": ["sim/", PUBLIC, "src/base/", "src/user/user.h", "src/engine/rqk.h"],
    "bench/": [PUBLIC, "src/sys/sys.h", "src/base/", "tools/rqpi/"],
    "tools/rqpi/": [PUBLIC, "bench/", "src/base/"],
    # The file through which the preload and `rqpi trace` talk.
    "tools/rqpi/trace/": ["tools/rqpi/", PUBLIC, "src/base/", "src/shim/trace_record.h"],
    "tests/": EVERYTHING,
    "examples/": [PUBLIC],
    "debian/tests/": [PUBLIC],
}

# Folder: the system headers it may include; a folder that is not named may include any.
SYSTEM = {
    PUBLIC: {"stdint.h", "stddef.h", "stdbool.h", "time.h", "sys/types.h"},
    "src/base/": {"stdint.h", "stddef.h", "stdbool.h", "stdatomic.h"},
    "src/base/probe.h": {"sys/sdt.h"},  # not for src/engine, which is freestanding
    "src/engine/": {"stdint.h", "stddef.h", "stdbool.h", "limits.h"},
}

# Folder: what a symbol defined there for other files shall match.
DEFINES = {
    "src/base/": r"rqb_",
    "src/engine/": r"rqk_|rqpi_",
    "src/sys/": r"rqu_|rqpi_",
    "src/host/": r"rqh_|rqpi_",
    "src/user/": r"rqu_|rqpi_",
    "src/shim/": r"shim_|rqpi_preload_|(__)?pthread_|mtx_|cnd_|_[eE]xit$",
    "src/shim/futex_shim.c": r"syscall$|nice$|sched_\w+$|setpriority$|pthread_|rqpi_",
    "sim/": r"rqs_",
    # What the compiler calls with -fsanitize=thread, and copies structures with.
    "sim/races_calls.c": r"__tsan_|mem(cpy|move|set)$",
}

# What compiler and sys/sdt.h define by themselves.
COMPILERS = r"_*DW\.ref|__(odr_)?asan|__x86\.get_pc_thunk|_\.stapsdt\.base$"

# Folder: what it may ask of others. Anything that is none of ours (rqX_, rqpi_) is the C library's,
# and is allowed unless the folder is freestanding.
OURS = re.compile(r"rq[a-z]_|rqpi_")
ASKS = {
    "src/base/": (r"rqb_|rqs_(load_|store_)?point$", "freestanding"),
    "src/engine/": (r"rqk_|rqb_|rqpi_|rqs_(load_|store_)?point$", "freestanding"),
    "src/sys/": (r"rqu_|rqb_|rqpi_|rqs_(load_|store_)?point$", "hosted"),
    "src/host/": (r"rqh_|rqb_|rqpi_|rqs_(load_|store_)?point$", "hosted"),
    "src/user/": (r"rqu_|rqb_|rqpi_|rqs_(load_|store_)?point$", "hosted"),
    "src/shim/": (r"rqu_|rqb_|rqpi_|rqs_(load_|store_)?point$", "hosted"),
    "src/shim/futex_shim.c": (r"rqh_|rqb_|rqpi_|rqs_(load_|store_)?point$", "hosted"),
}
FREESTANDING = re.compile(
    r"mem(cpy|set|move|cmp)$|_GLOBAL_OFFSET_TABLE_$|__stack_chk_fail|__(asan|tsan|ubsan)_")

# Library: what it may export. The preload has one name of its own, by which it can be found.
EXPORTS = {
    "librqpi.so": r"rqpi_",
    "librqpi-preload.so": r"pthread_|rqpi_preload_active$|(GLIBC|RQPI_PRELOAD)_[0-9.]+$",
    "librqpi-preload-mutex.so":
        r"(__)?pthread_|mtx_|cnd_|_[eE]xit$|rqpi_preload_active$|(GLIBC|RQPI_PRELOAD)_[0-9.]+$",
    "librqpi-engine.so": r"rqpi_",
    "librqpi-futex-preload.so": r"syscall$|nice$|sched_\w+$|setpriority$|pthread_|rqpi_",
}

# What only one place below src/ and include/ may hold: (rule, pattern, the file, or a tuple of
# them; a name that ends in / is a whole folder).
ONLY_IN = [
    ("atomic builtins only in src/base/atomic.h",
     r"\b__atomic_\w+|\b__sync_\w+|\b_Atomic\b|\batomic_\w+\s*\(|<stdatomic\.h>",
     "src/base/atomic.h"),
    ("RQPI_SIM only in src/base/atomic.h", r"\bRQPI_SIM\b", "src/base/atomic.h"),
    # shim_os.c: what only --observe and --stats ask for, and nobody else shall have to build.
    ("errno only in src/sys and src/host", r"(?<![<\w])errno\b(?!\.h)",
     ("src/sys/sys_linux.c", "src/host/", "src/shim/futex_shim.c", "src/shim/shim_os.c")),
    ("system calls only in src/sys and src/host", r"\bsyscall\s*\(|\bSYS_\w+|\b__NR_\w+",
     ("src/sys/sys_linux.c", "src/host/", "src/shim/futex_shim.c", "src/shim/shim_os.c")),
]

INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*([<\"])([^>\"]+)[>\"]", re.M)


def folder_of(name, table):
    fitting = [folder for folder in table if name.startswith(folder)]
    return max(fitting, key=len) if fitting else None


def resolve(name, bracket, target):
    """The file of ours that an include means; None for a system header or one that is not there."""
    places = ["include"] if bracket == "<" else [os.path.dirname(name), "", "include"]
    for place in places:
        path = os.path.normpath(os.path.join(place, target))
        if os.path.isfile(os.path.join(tree.ROOT, path)):
            return path
    return None


def includes_of(name):
    text = tree.strip_c(tree.read(name), strings=False)
    for match in INCLUDE.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match.group(1), match.group(2)


def may_include(folder, path):
    allowed = [folder, *INCLUDES[folder]]
    return any(path.startswith(a) if a.endswith("/") else path == a for a in allowed)


def check_includes(names):
    findings = []
    for name in names:
        folder = folder_of(name, INCLUDES)
        if folder is None:
            findings.append(f"{name}: no layer has this folder, see INCLUDES in scripts/layers.py")
            continue
        for line, bracket, target in includes_of(name):
            path = resolve(name, bracket, target)
            if path and not may_include(folder, path):
                findings.append(f"{name}:{line}: {folder} may not include {path}")
            elif not path and (bracket == '"' or target.startswith("rqpi/")):
                findings.append(f"{name}:{line}: {target} is not in the tree")
            elif not path and folder in SYSTEM and target not in SYSTEM[folder]:
                findings.append(f"{name}:{line}: {folder} may not include <{target}>")
    return findings


def check_only_in(names, pattern, home):
    findings = []
    for name in names:
        if name.startswith(home) or not name.startswith(("src/", "include/")):
            continue
        for number, line in enumerate(tree.strip_c(tree.read(name)).split("\n"), 1):
            found = re.search(pattern, line)
            if found:
                findings.append(f"{name}:{number}: {found.group(0)} belongs in {home}")
    return findings


def nm(path, *options):
    """(type, symbol) of each symbol, versions cut off."""
    out = subprocess.run(["nm", "-P", *options, path], check=True, text=True,
                         stdout=subprocess.PIPE)
    for line in out.stdout.splitlines():
        fields = line.split()
        if len(fields) >= 2:
            yield fields[1], fields[0].split("@")[0]


def built_objects(build):
    """(source, object) of all that was compiled from the tree."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as stream:
        for command in json.load(stream):
            source = os.path.join(command["directory"], command["file"])
            target = os.path.join(command["directory"], command["output"])
            if os.path.isfile(target):
                yield os.path.relpath(os.path.realpath(source), tree.ROOT), target


def check_defined(source, symbols):
    folder = folder_of(source, DEFINES)
    if folder is None:
        return []
    return [f"{source}: defines {name}, {folder} has {DEFINES[folder]}" for kind, name in symbols
            if kind in "TDBRCVWGS" and not re.match(DEFINES[folder], name)
            and not re.match(COMPILERS, name)]


def check_asked(source, symbols):
    folder = folder_of(source, ASKS)
    if folder is None:
        return []
    allowed, kind_of = ASKS[folder]
    findings = []
    for kind, name in symbols:
        if kind not in "Uwv" or re.match(allowed, name):
            continue
        if OURS.match(name):
            findings.append(f"{source}: {folder} may not refer to {name}")
        elif kind_of == "freestanding" and not FREESTANDING.match(name):
            findings.append(f"{source}: {folder} is freestanding, but refers to {name}")
    return findings


def find_library(build, name):
    for top, _, leaves in os.walk(build):
        if name in leaves:
            return os.path.join(top, name)
    return None


def check_exports(path, pattern):
    exported = [name for kind, name in nm(path, "-D", "--defined-only") if kind != "A"]
    if not exported:
        return [f"{path}: exports nothing"]
    return [f"{path}: exports {name}" for name in sorted(set(exported))
            if not re.match(pattern, name)]


def check_built(build, report):
    objects = [(source, list(nm(target))) for source, target in sorted(set(built_objects(build)))
               if folder_of(source, DEFINES) or folder_of(source, ASKS)]
    if not objects:
        report.rule("objects of src/ to look at", [f"{build}: none was built"])
        return
    report.rule("prefixes of defined symbols",
                sorted({f for s, symbols in objects for f in check_defined(s, symbols)}))
    report.rule("symbols asked of other layers",
                sorted({f for s, symbols in objects for f in check_asked(s, symbols)}))
    for name, pattern in EXPORTS.items():
        path = find_library(build, name)
        report.rule(f"exports of {name}",
                    check_exports(path, pattern) if path else [f"{name} was not built in {build}"])


def main(arguments):
    report = tree.Report()
    names = [name for name in tree.files() if tree.is_c(name)]
    report.rule("includes point down", check_includes(names))
    for rule, pattern, home in ONLY_IN:
        report.rule(rule, check_only_in(names, pattern, home))
    for build in arguments:
        check_built(build, report)
    return 1 if report.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"layers: {error}", file=sys.stderr)
        sys.exit(2)
