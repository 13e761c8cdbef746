#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Small rules that no compiler checks: sizes, licence lines, headers that stand alone, exports.

tidy.py: looks at every file of the tree. Exit status: 0 all kept, 1 a rule is broken, 2 cannot
look.
"""

import os
import re
import shutil
import subprocess
import sys

import tree

FUNCTION_LINES = 70
FILE_LINES = 600
COLUMNS = 100
TAB = 8

# Library's symbol map: the public headers whose functions it exports, all others'.
ENGINE_MAP = "src/host/librqpi-engine.map"
ENGINE_HEADERS = ("engine.h", "host.h", "port.h", "trace.h")
USER_MAP = "src/user/librqpi.map"
PUBLIC = "include/rqpi/"

# A comment that promises work. Written so that this line does not match itself.
PROMISE = re.compile(r"\b([T]ODO|[F]IXME|[X]XX)\b(?!\s*\(?#\d+)")
# Where somebody's checkout is, is nobody else's business, and wrong on every other machine.
MACHINE = re.compile(r"(?<![\w.$}*])/(?:[w]ork|[r]oot|home/[a-z]+|Users/[A-Za-z]+)(?:/|\b)")

OUTER = re.compile(r"^(?:template\b.*>\s*)?(?:class|struct|namespace)\b")

LICENSED_SUFFIXES = (".c", ".h", ".hpp", ".cc", ".py", ".sh", ".map", ".build", ".yml")
LICENSED_NAMES = ("Makefile", "meson_options.txt", ".clang-tidy", ".editorconfig", "run")


def numbered(name):
    return enumerate(tree.read(name).split("\n"), 1)


def function_lengths(text):
    """Yield (line, lines) of each function: clang-format puts both its braces into column 0.

    Classes and namespaces of C++ have theirs there as well, and are none."""
    lines = text.split("\n")
    opened = None
    for number, line in enumerate(lines):
        if line == "{":
            opened = None if OUTER.search(lines[number - 1]) else number
        elif line.startswith("}") and opened is not None:
            start = opened
            while start > 0 and re.match(r"[\w\s*].*[^;]$", lines[start - 1]) \
                    and not lines[start - 1].startswith("}"):
                start -= 1
            yield start + 1, number - start + 1
            opened = None


def check_functions(names):
    return [f"{name}:{line}: a function of {length} lines, {FUNCTION_LINES} are allowed"
            for name in names for line, length in function_lengths(tree.strip_c(tree.read(name)))
            if length > FUNCTION_LINES]


def check_file_lengths(names):
    lengths = [(name, tree.read(name).count("\n")) for name in names]
    return [f"{name}: {length} lines, {FILE_LINES} are allowed" for name, length in lengths
            if length > FILE_LINES]


def check_columns(names):
    findings = []
    for name in names:
        for number, line in numbered(name):
            width = len(line.expandtabs(TAB))
            if width > COLUMNS:
                findings.append(f"{name}:{number}: {width} columns, {COLUMNS} are allowed")
    return findings


def check_blanks(names):
    findings = []
    for name in names:
        text = tree.read(name)
        if text and not text.endswith("\n"):
            findings.append(f"{name}: the last line has no end")
        findings += [f"{name}:{number}: blanks at the end of the line"
                     for number, line in enumerate(text.split("\n"), 1)
                     if line != line.rstrip() and not name.endswith((".md", ".patch"))]
    return findings


def needs_licence(name):
    return (name.endswith(LICENSED_SUFFIXES) or os.path.basename(name) in LICENSED_NAMES
            or tree.first_line(name).startswith("#!"))


def check_licence(names):
    return [f"{name}: no 'SPDX-License-Identifier: MIT' in the first three lines" for name in names
            if needs_licence(name)
            and "SPDX-License-Identifier: MIT" not in "".join(tree.read(name).split("\n")[:3])]


def check_pattern(names, pattern, text):
    return [f"{name}:{number}: {text}: {pattern.search(line).group(0)}"
            for name in names for number, line in numbered(name) if pattern.search(line)]


def compile_header(command, name):
    """Compile the header as the only thing in a file, twice included. Returns findings."""
    target = name[len("include/"):]
    source = f"#include <{target}>\n#include <{target}>\nint rqpi_header_is_not_empty;\n"
    warnings = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror"]
    done = subprocess.run([*command, *warnings, "-fsyntax-only", "-Iinclude", "-"],
                          cwd=tree.ROOT, input=source, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode == 0:
        return []
    errors = [line for line in done.stdout.splitlines() if "error:" in line]
    return [f"{name}: {line}" for line in errors or [f"ended with status {done.returncode}"]]


def check_headers(report, names):
    headers = [name for name in names if name.startswith(PUBLIC) and name.endswith(".h")]
    # clang needs no C++ library for headers that are C: C++ is looked at without a g++ as well.
    compilers = [["gcc", "-xc", "-std=c11"], ["clang", "-xc", "-std=c11"],
                 ["clang", "-xc++", "-std=c++17"]]
    if shutil.which("g++"):
        compilers.append(["g++", "-xc++", "-std=c++17"])
    for command in compilers:
        report.rule(f"public headers alone, {command[0]} {command[2]}",
                    [finding for name in headers for finding in compile_header(command, name)])


def declared_functions(of_engine):
    """Names of all functions that the headers of one library declare with RQPI_API."""
    names = set()
    for header in tree.files():
        if (header.startswith(PUBLIC) and header.endswith(".h")
                and (os.path.basename(header) in ENGINE_HEADERS) == of_engine):
            text = re.sub(r"^[ \t]*#.*(\\\n.*)*", "", tree.strip_c(tree.read(header)), flags=re.M)
            names.update(re.findall(r"\bRQPI_API\b[^;{(]*?(\w+)\s*\(", text))
    return names


def mapped_functions(name):
    text = re.sub(r"/\*.*?\*/|#[^\n]*", "", tree.read(name), flags=re.S)
    names = set()
    for part in re.findall(r"global:(.*?)(?:local:|\})", text, flags=re.S):
        names.update(word.strip() for word in part.split(";") if word.strip())
    return names


def check_map(name, of_engine):
    if not os.path.isfile(os.path.join(tree.ROOT, name)):
        return [f"{name}: not there"]
    declared, mapped = declared_functions(of_engine), mapped_functions(name)
    return ([f"{name}: {function} is declared in {PUBLIC} but not exported"
             for function in sorted(declared - mapped)]
            + [f"{name}: {function} is exported but declared nowhere in {PUBLIC}"
               for function in sorted(mapped - declared)])


def check_version():
    """One version: the build's, the header's, and the newest entries of the change logs."""
    found = {
        "meson.build": re.search(r"version: '([\d.]+)'", tree.read("meson.build")),
        PUBLIC + "base.h": re.search(r"RQPI_VERSION\s+\"([\d.]+)\"", tree.read(PUBLIC + "base.h")),
        "debian/changelog": re.match(r"rqpi \(([\d.]+)-", tree.read("debian/changelog")),
        "CHANGELOG.md": re.search(r"^## \[(\d[\d.]*)\]", tree.read("CHANGELOG.md"), re.M),
    }
    parts = re.findall(r"RQPI_VERSION_(?:MAJOR|MINOR|PATCH)\s+(\d+)", tree.read(PUBLIC + "base.h"))
    versions = {name: match.group(1) if match else "none" for name, match in found.items()}
    versions["RQPI_VERSION_MAJOR, _MINOR, _PATCH"] = ".".join(parts)
    if len(set(versions.values())) == 1:
        return []
    return [f"{name} says {version}" for name, version in versions.items()]


def main():
    os.chdir(tree.ROOT)
    report = tree.Report()
    text = [name for name in tree.files() if tree.is_text(name)]
    code = [name for name in text if tree.is_c(name)]
    scripts = [name for name in text if tree.is_shell(name) or tree.is_python(name)]
    report.rule(f"functions of at most {FUNCTION_LINES} lines", check_functions(code))
    report.rule(f"files of at most {FILE_LINES} lines", check_file_lengths(code + scripts))
    report.rule(f"lines of at most {COLUMNS} columns", check_columns(code + scripts))
    report.rule("no blanks at the end of lines", check_blanks(text))
    report.rule("a licence line in every source", check_licence(text))
    report.rule("no promise without an issue number",
                check_pattern(text, PROMISE, "needs an issue number, as in (#12)"))
    report.rule("no path of one machine", check_pattern(text, MACHINE, "a path of one machine"))
    check_headers(report, text)
    report.rule("the symbol map has what the headers declare",
                check_map(USER_MAP, False) + check_map(ENGINE_MAP, True))
    report.rule("one version number", check_version())
    return 1 if report.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"tidy: {error}", file=sys.stderr)
        sys.exit(2)
