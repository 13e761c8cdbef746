#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A text file as a C string literal, to be included where one is expected.

embed.py FILE OUTPUT
"""

import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = file.read().split("\n")
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        for line in lines[:-1]:
            escaped = line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")
            out.write('"' + escaped.replace("\t", "\\t") + '\\n"\n')


if __name__ == "__main__":
    main()
