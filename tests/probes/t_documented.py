#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Do the libraries have the probes that docs/probes.md and rqpi-probes(7) tell of, and no others?

t_documented.py yes|no PAGE MANUAL LIBRARY...: yes, if the build has probes. The notes are read with
readelf; each place of a probe must have as many arguments as the pages name. Output: TAP.
"""

import os
import re
import shutil
import subprocess
import sys


# What comes after this is about the engine.
ENGINE = re.compile(r"^## Those of the engine$|^\.Ss The engine$", re.M)


def of_page(name, part):
    """{probe: names of arguments} of a table: part 0, the user half; 1, the engine."""
    with open(name, encoding="utf-8") as stream:
        parts = ENGINE.split(stream.read())
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \||^\.It Cm (\w+) Ar (.*)$", parts[part], re.M)
    return {probe or item: re.split(r"[, ]+", (arguments or words).strip())
            for probe, arguments, item, words in rows}


def of_library(name):
    """[(probe, number of arguments)], one for each place."""
    said = subprocess.run(["readelf", "-n", name], check=True, text=True, stdout=subprocess.PIPE,
                          env={**os.environ, "LC_ALL": "C"}).stdout
    notes = re.findall(r"Provider: rqpi\s+Name: (\w+)\s+Location: .*\s+Arguments:(.*)", said)
    return [(probe, len(arguments.split())) for probe, arguments in notes]


def differences(page, places):
    found = [f"{probe} is in no library" for probe in page if probe not in dict(places)]
    for probe, arguments in places:
        if probe not in page:
            found.append(f"{probe} is not in the page")
        elif len(page[probe]) != arguments:
            found.append(f"{probe} has {arguments} arguments, the page names {page[probe]}")
    return found


def main(has_probes, page, manual, *libraries):
    tables = [of_page(page, 0), of_page(page, 1)]
    manuals = [of_page(manual, 0), of_page(manual, 1)]
    cases = [("docs/probes.md and rqpi-probes(7) tell the same", None,
              [f"{one} differs" for table, items in zip(tables, manuals)
               for one in sorted(table.keys() | items.keys()) if table.get(one) != items.get(one)])]
    if len(tables[0]) < 5 or len(tables[1]) < 2:
        cases[0][2].append(f"{page}: no table of probes")
    for library in libraries:
        table = tables[bool(re.search("engine|futex", os.path.basename(library)))]
        skip = None
        if has_probes != "yes":
            skip = "built without probes (sys/sdt.h)"
        elif not shutil.which("readelf"):
            skip = "no readelf"
        cases.append((f"the probes of {os.path.basename(library)}", skip,
                      [] if skip else differences(table, of_library(library))))
    print(f"1..{len(cases)}")
    for number, (name, skip, found) in enumerate(cases, 1):
        print(f"{'not ok' if found else 'ok'} {number} - {name}{' # SKIP ' + skip if skip else ''}")
        for line in found:
            print("#", line)
    return 1 if any(found for _, _, found in cases) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
