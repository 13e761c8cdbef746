#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Text files as C strings: page.css becomes rqs_page_css.

embed.py OUTPUT FILE...
"""

import os
import sys


def main():
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for name in sys.argv[2:]:
            symbol = "rqs_" + os.path.basename(name).replace(".", "_")
            out.write(f"extern const char {symbol}[];\nconst char {symbol}[] =\n")
            with open(name, encoding="utf-8") as file:
                for line in file.read().splitlines():
                    text = line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
                    out.write(f'"{text}\\n"\n')
            out.write(";\n")


if __name__ == "__main__":
    main()
