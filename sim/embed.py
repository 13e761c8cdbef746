#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Text files as C strings: page.css becomes rqs_page_css.

embed.py [--prefix=rqs_] OUTPUT FILE...
"""

import os
import sys


def main():
    args = sys.argv[1:]
    prefix = args.pop(0).split("=", 1)[1] if args[0].startswith("--prefix=") else "rqs_"
    with open(args[0], "w", encoding="utf-8") as out:
        for name in args[1:]:
            symbol = prefix + os.path.basename(name).replace(".", "_")
            out.write(f"extern const char {symbol}[];\nconst char {symbol}[] =\n")
            with open(name, encoding="utf-8") as file:
                for line in file.read().splitlines():
                    text = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
                    out.write(f'"{text}\\n"\n')
            out.write(";\n")


if __name__ == "__main__":
    main()
