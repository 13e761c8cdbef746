#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is every name that rqpi gives to programs in the manual, and called by a test?

The names are what the symbol maps of the libraries and of the preloads export; functions, macros
and enumerators of the public headers; and what the C++ classes offer. In the manual means: a
function of a library has a page with it in NAME and SYNOPSIS, and is installed by its name;
librtpi's names have such a page, without a file of that name, which is librtpi's to have; any
other name stands in some page. A test is a program that is built and run as one. And
debian/*.symbols has what the maps have.

Says "ok - RULE" or "not ok - RULE" for each, as tidy.py does; --update writes debian/*.symbols
instead. Exit status: 0, 1 something is missing, 2 cannot look.
"""

import os
import re
import sys

import tree

TESTS = ("tests/", "examples/", "debian/tests/", "sim/")

# Symbol map: where its tests are, and Debian's file of its symbols, which a preload has not.
MAPS = {
    "src/user/librqpi.map": (TESTS, "debian/librqpi0.symbols"),
    "src/host/librqpi-engine.map": (TESTS, "debian/librqpi-engine0.symbols"),
    "src/shim/": (("tests/shim/",), None),
    "src/shim/futex_shim.map": (("tests/host/",), None),
}

# Macros that are no part of the interface: guards, attributes, all whose name ends in "_".
PRIVATE = re.compile(r"\w+_$|RQPI_\w+_(?:H|HPP)$|RQPI_(?:API|NODISC|NONNULL|CAPABILITY)$")

RTPI = "include/rqpi/compat/rtpi.h"
CXX_PAGE = "man/rqpi_cxx.3"
CXX_TESTS = ("tests/cxx/", "debian/tests/")
CXX_INTERNAL = {"last_words"}


def map_nodes(name):
    """{version: names}; the version is "" in a map without."""
    text = re.sub(r"/\*.*?\*/|#[^\n]*", "", tree.read(name), flags=re.S)
    nodes = {}
    for node, body in re.findall(r"([\w.]*)\s*\{(.*?)\}", text, flags=re.S):
        shared = re.sub(r"local:.*", "", body, flags=re.S).replace("global:", "")
        nodes.setdefault(node, set()).update(re.findall(r"\w+", shared))
    return nodes


def exported_beside(folder):
    """What the preloads export: said beside each function, by the macros of shim_version.h."""
    names = set()
    for name in tree.files():
        if name.startswith(folder) and name.endswith(".c"):
            names.update(re.findall(
                r"^SHIM_EXPORT_(?:(?:DEFAULT|OLD)\(\w+,|ALSO\(\w+,\s*\w+,|BOTH\()\s*(\w+)",
                tree.read(name), flags=re.M))
    return sorted(names | {"rqpi_preload_active"})


def exported(name):
    if name.endswith("/"):
        return exported_beside(name)
    return sorted(set().union(*map_nodes(name).values()))


def public_headers(suffix):
    return [name for name in tree.files() if re.fullmatch(r"include/rqpi/\w+" + suffix, name)]


def public_names(name):
    """Inline functions, macros and enumerators of a header of C."""
    text = tree.strip_c(tree.read(name))
    names = re.findall(r"^static inline [^;{]*?(\w+)\(", text, flags=re.M)
    names += re.findall(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", text, flags=re.M)
    for body in re.findall(r"\benum\b[\s\w]*\{(.*?)\}", text, flags=re.S):
        names += re.findall(r"(?:^|,)\s*(\w+)", body)
    return [found for found in dict.fromkeys(names) if not PRIVATE.match(found)]


def class_names(name):
    """Classes of a C++ header, and the functions that they offer."""
    classes, functions, public, inside = [], [], False, ""
    for line in tree.strip_c(tree.read(name)).split("\n"):
        begun = re.match(r"(?:template <.*?> )?class (\w+)", line)
        if begun:
            inside = begun.group(1)
            if inside not in CXX_INTERNAL and not inside.startswith("basic_"):
                classes.append(inside)
        section = re.match(r" +(public|private):", line)  # of a class within: after a tab
        if section:
            public = section.group(1) == "public"
        found = re.match(r"\t(?:template <.*?> )?(?!using|\t)[\w:<>*& ]+[ *&](\w+)\(", line)
        if found and public and inside not in CXX_INTERNAL | {found.group(1)}:
            functions.append(found.group(1))
    return classes, sorted(set(functions) - {"operator"})


# ---- the manual


def pages():
    return {name: tree.read(name) for name in tree.files()
            if re.fullmatch(r"man/[\w.-]+\.[1-9]", name)}


def own_page(name, texts):
    """The page that has it in NAME, and whether its SYNOPSIS does."""
    for page, text in texts.items():
        head, _, rest = text.partition(".Sh SYNOPSIS")
        if re.search(rf"^\.Nm {name}(?: ,)?$", head, flags=re.M):
            synopsis = rest.split(".Sh DESCRIPTION")[0]
            return page, re.search(rf"^\.F[no] {name}\b", synopsis, flags=re.M) is not None
    return None, False


def missing_pages(names, texts, installed=True):
    build = tree.read("man/meson.build")
    findings = []
    for name in names:
        page, shown = own_page(name, texts)
        if not page:
            findings.append(f"man/: no page has {name} in its NAME")
        elif not shown:
            findings.append(f"{page}: {name} is in NAME and not in SYNOPSIS")
        elif installed and f"'{name}'" not in build and f"'{name}.3'" not in build:
            findings.append(f"man/meson.build: {name} is not installed by its own name")
    return findings


def unnamed(names, texts, where):
    everything = "\n".join(texts.values())
    return [f"{where}: {name} is in no manual page" for name in names
            if not re.search(rf"(?<!\w){name}(?!\w)", everything)]


def strangers(texts):
    """Names in NAME that are no function of ours; a page about a structure has its own name."""
    known = {found for name in MAPS for found in exported(name)}
    known |= set(public_names(RTPI))
    findings = []
    for page, text in texts.items():
        head = text.partition(".Sh SYNOPSIS")[0]
        own = re.match(r"man/([\w-]+)", page).group(1)
        findings += [f"{page}: {name} is in NAME, and there is no such function"
                     for name in re.findall(r"^\.Nm (\w+)(?: ,)?$", head, flags=re.M)
                     if page.endswith(".3") and name not in known | {own}]
    return findings


def missing_installs(texts):
    """Each page is installed, and each name that is installed leads to a page that has it."""
    build = tree.read("man/meson.build")
    findings = [f"man/meson.build: {page} is not installed" for page in texts
                if f"'{os.path.basename(page)}'" not in build]
    for page, names in re.findall(r"'(\w+)': \[(.*?)\]", build, flags=re.S):
        for name in re.findall(r"'(\w+)'", names):
            if own_page(name, texts)[0] != f"man/{page}.3":
                findings.append(f"man/meson.build: {name} leads to {page}.3, which has it not")
    return findings


# ---- tests


class Tests:
    """What the sources of tests name; of those only that a build or a script names."""

    def __init__(self):
        self.names, self.calls, self.members = {}, {}, {}
        builds = "\n".join(tree.read(name) for name in tree.files()
                           if name.endswith("meson.build") or name.startswith("debian/tests/")
                           and tree.is_shell(name))
        for name in tree.files():
            if name.startswith(TESTS) and tree.is_c(name):
                stem = os.path.splitext(os.path.basename(name))[0]
                if re.search(rf"\b{stem}\b", builds) or name.endswith((".h", ".hpp")):
                    self.look_at(name, tree.strip_c(tree.read(name), strings=False))

    def look_at(self, name, text):
        """A call is NAME( or, for who looks it up while it runs, dlsym(.., "NAME")."""
        self.names[name] = set(re.findall(r"\w+", text))
        self.calls[name] = set(re.findall(r"(\w+)\s*\(", text)
                               + re.findall(r"\bdlsym\([^;]*?\"(\w+)\"", text))
        self.members[name] = set(re.findall(r"(?:\.|->)(\w+)", text))

    @staticmethod
    def lacking(names, sources, folders):
        found = set().union(*(there for name, there in sources.items()
                              if name.startswith(folders)))
        return [name for name in names if name not in found]

    def uncalled(self, names, folders, where):
        return [f"{where}: no test calls {name}"
                for name in self.lacking(names, self.calls, folders)]

    def uncalled_members(self, names, folders, where):
        return [f"{where}: no test calls {name}()"
                for name in self.lacking(names, self.members, folders)]

    def unused(self, names, folders, where):
        return [f"{where}: no test uses {name}"
                for name in self.lacking(names, self.names, folders)]


# ---- Debian


def debian_lines(name):
    """The symbols of a map as dpkg-gensymbols writes them, without the versions."""
    lines = []
    for node, names in map_nodes(name).items():
        lines += [f"{symbol}@{node}" for symbol in sorted(names | {node})]
    return lines


def debian_symbols(name):
    """{symbol@node: the package's version it came with}"""
    return dict(re.findall(r"^ (\S+) (\S+)$", tree.read(name), flags=re.M))


def debian_findings(name, symbols):
    wanted, there = set(debian_lines(name)), set(debian_symbols(symbols))
    return ([f"{symbols}: {line} is missing: scripts/symbols.py --update"
             for line in sorted(wanted - there)]
            + [f"{symbols}: {line} is not in {name}" for line in sorted(there - wanted)])


def update_debian():
    version = re.search(r"version: '([\d.]+)'", tree.read("meson.build")).group(1)
    for name, (_, symbols) in MAPS.items():
        if symbols:
            there = debian_symbols(symbols)
            head = [line for line in tree.read(symbols).split("\n")
                    if line and not line.startswith(" ")]
            lines = [f" {line} {there.get(line, version)}" for line in debian_lines(name)]
            with open(os.path.join(tree.ROOT, symbols), "w", encoding="utf-8") as stream:
                stream.write("\n".join(head + lines) + "\n")


def check_maps(report, texts, tests):
    for name, (folders, symbols) in MAPS.items():
        ours = [found for found in exported(name) if found.startswith("rqpi_")]
        others = [found for found in exported(name) if found not in ours]
        report.rule(f"what {name} exports has a manual page",
                    missing_pages(ours, texts) + unnamed(others, texts, name))
        report.rule(f"what {name} exports is called by a test",
                    tests.uncalled(exported(name), folders, name))
        if symbols:
            report.rule(f"{symbols} has what {name} exports", debian_findings(name, symbols))


def check_headers(report, texts, tests):
    undocumented, untested = [], []
    for name in public_headers(r"\.h"):
        names = public_names(name)
        undocumented += unnamed(names, texts, name)
        untested += tests.unused(names, TESTS, name)
    report.rule("the manual names every macro and enumerator", undocumented)
    report.rule("a test uses every macro and enumerator", untested)
    name = RTPI
    functions = [found for found in public_names(name) if found.startswith("pi_")]
    macros = [found for found in public_names(name) if found not in functions]
    report.rule("librtpi's names have a manual page", missing_pages(functions, texts, False)
                + unnamed(macros, texts, name))
    report.rule("librtpi's names are used by a test", tests.uncalled(functions, TESTS, name)
                + tests.unused(macros, TESTS, name))


def check_classes(report, texts, tests):
    undocumented, untested = [], []
    page = texts.get(CXX_PAGE, "")
    for name in public_headers(r"\.hpp"):
        classes, functions = class_names(name)
        if not functions:
            undocumented.append(f"{name}: no function was found in it")
        undocumented += [f"{CXX_PAGE}: no rqpi::{found} in NAME" for found in classes
                         if not re.search(rf"^\.Nm rqpi::{found}(?: ,)?$", page, flags=re.M)]
        undocumented += [f"{CXX_PAGE}: no word of {found}()" for found in functions
                         if not re.search(rf"^\.Fn {found}\b", page, flags=re.M)]
        untested += tests.unused(classes, CXX_TESTS, name)
        untested += tests.uncalled_members(functions, CXX_TESTS, name)
    untested += tests.unused(re.findall(r"^\.Nm rqpi::(\w+)", page, flags=re.M), CXX_TESTS,
                             CXX_PAGE)
    report.rule("the manual names every class and member function of C++", undocumented)
    report.rule("a test uses every class and member function of C++", untested)


def main(arguments):
    if arguments == ["--update"]:
        update_debian()
        return 0
    if arguments:
        print("usage: scripts/symbols.py [--update]", file=sys.stderr)
        return 2
    report = tree.Report()
    texts, tests = pages(), Tests()
    check_maps(report, texts, tests)
    check_headers(report, texts, tests)
    check_classes(report, texts, tests)
    report.rule("man/meson.build installs what is in man/", missing_installs(texts))
    report.rule("the manual has no function that there is not", strangers(texts))
    return 1 if report.failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, AttributeError) as error:
        print(f"symbols: {error}", file=sys.stderr)
        sys.exit(2)
