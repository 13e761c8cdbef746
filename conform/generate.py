#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes conform/vectors/*.json from conform/source/*.py.

generate.py          write the files
generate.py --check  only say whether they are as they would be written

What is expected in a vector is said in the sources by whoever wrote them, from the rules in
RULES.md, and then held against the running kernel with `rqpi conform --on linux`. Nothing is
recorded from an implementation. Exit status: 0 done, 1 a file is not as it would be written.
"""

import importlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "source"))
sys.dont_write_bytecode = True

import dsl  # noqa: E402

ABOUT = "Written by conform/generate.py; the format is in conform/FORMAT.md."


def text_of(vectors):
    body = ",\n".join(vector.text() for vector in vectors)
    return ('{\n  "format": "rqpi-conform-1",\n'
            f'  "about": "{ABOUT}",\n'
            f'  "vectors": [\n{body}\n  ]\n}}\n')


def main():
    for name in sorted(os.listdir(os.path.join(HERE, "source"))):
        if name.endswith(".py") and name != "dsl.py":
            importlib.import_module(name[:-3])
    folder = os.path.join(HERE, "vectors")
    wanted = {f"{name}.json": text_of(vectors) for name, vectors in dsl.VECTORS.items()}
    names = [v.head["name"] for vectors in dsl.VECTORS.values() for v in vectors]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        sys.exit(f"generate: two vectors have the name: {' '.join(sorted(twice))}")
    wrong = []
    for name in sorted(set(wanted) | {n for n in os.listdir(folder) if n.endswith(".json")}):
        path = os.path.join(folder, name)
        there = None
        if os.path.exists(path):
            with open(path, encoding="utf-8") as stream:
                there = stream.read()
        if there == wanted.get(name):
            continue
        wrong.append(name)
        if "--check" in sys.argv[1:]:
            continue
        if name in wanted:
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(wanted[name])
        else:
            os.unlink(path)
    if "--check" in sys.argv[1:] and wrong:
        sys.exit(f"generate: not as conform/source has them: {' '.join(wrong)}")
    print(f"{len(names)} vectors in {len(wanted)} files")


if __name__ == "__main__":
    main()
