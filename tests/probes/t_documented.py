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


def of_page(name):
    """{probe: names of arguments} of the table."""
    with open(name, encoding="utf-8") as stream:
        rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", stream.read(), re.M)
    return {probe: [one.strip() for one in arguments.split(",")] for probe, arguments in rows}


def of_manual(name):
    with open(name, encoding="utf-8") as stream:
        rows = re.findall(r"^\.It Cm (\w+) Ar (.*)$", stream.read(), re.M)
    return {probe: arguments.split() for probe, arguments in rows}


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
    cases = [("docs/probes.md and rqpi-probes(7) tell the same", None,
              [f"{one} differs" for one in sorted(of_page(page).keys() | of_manual(manual).keys())
               if of_page(page).get(one) != of_manual(manual).get(one)])]
    if len(of_page(page)) < 5:
        cases[0][2].append(f"{page}: no table of probes")
    for library in libraries:
        skip = None
        if has_probes != "yes":
            skip = "built without probes (sys/sdt.h)"
        elif not shutil.which("readelf"):
            skip = "no readelf"
        cases.append((f"the probes of {os.path.basename(library)}", skip,
                      [] if skip else differences(of_page(page), of_library(library))))
    print(f"1..{len(cases)}")
    for number, (name, skip, found) in enumerate(cases, 1):
        print(f"{'not ok' if found else 'ok'} {number} - {name}{' # SKIP ' + skip if skip else ''}")
        for line in found:
            print("#", line)
    return 1 if any(found for _, _, found in cases) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
