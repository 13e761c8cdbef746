#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A picture of what a program prints on a terminal, with its colours.

terminal_svg.py [--check] [--status N] FILE.svg PROGRAM [ARG...]: runs PROGRAM on a terminal of its
own and writes FILE.svg; PROGRAM must end with status N (0). --check writes nothing: FILE.svg must
be that very picture. Lines are cut off at 110 columns.

Exit status: 0 done or the same, 1 another status or another picture, 2 cannot; 77 if PROGRAM ends
with 77: it cannot run here.
"""

import argparse
import html
import os
import pty
import re
import subprocess
import sys

COLUMNS = 110
SECONDS = 60
WIDTH, HEIGHT, MARGIN = 7.8, 17, 14  # of a character of 13 px, of a line, in px
COLOURS = {"": "#d8dee9", "31": "#ff6b6b", "32": "#7ec97e", "33": "#e8b84a", "1": "#ffffff"}
PAPER = "#1f2430"


def run(command):
    """(status, all it printed)."""
    ours, its = pty.openpty()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=its, stderr=its,
                          env=dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8")) as program:
        os.close(its)
        said = b""
        try:
            while data := os.read(ours, 65536):
                said += data
        except OSError:
            pass  # EIO: nobody has the terminal any more
        status = program.wait(SECONDS)
    os.close(ours)
    return status, said.decode("utf-8", "replace")


def pieces(line):
    """Yield (column, colour, text) of a line with SGR sequences, without its runs of blanks."""
    column, colour = 0, ""
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        code = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if code:
            colour = code.group(1) if code.group(1) in COLOURS else ""
            continue
        for word in re.finditer(r"\S+( \S+)*", part):
            at = column + word.start()
            text = word.group()
            if at + len(text) > COLUMNS:
                text = text[:max(0, COLUMNS - 1 - at)] + "\u2026"
            if at < COLUMNS:
                yield at, colour, text
        column += len(part)


def picture(output):
    lines = output.replace("\r", "").rstrip("\n").split("\n")
    width = COLUMNS * WIDTH + 2 * MARGIN
    height = len(lines) * HEIGHT + 2 * MARGIN
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
           f'width="{width:.0f}" height="{height}">',
           f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
           '<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="13">']
    for number, line in enumerate(lines):
        y = MARGIN + number * HEIGHT + 13
        for column, colour, text in pieces(line):
            svg.append(f'<text x="{MARGIN + column * WIDTH:.1f}" y="{y}" fill="{COLOURS[colour]}" '
                       f'textLength="{len(text) * WIDTH:.1f}">{html.escape(text)}</text>')
    return "\n".join(svg + ["</g>", "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description="a picture of what a program prints")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--status", type=int, default=0)
    parser.add_argument("file")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("no program given")
    status, output = run(options.command)
    if status == 77:
        print(output, end="")
        return 77
    if status != options.status:
        print(f"{output}{options.command[0]} ended with status {status}, not {options.status}")
        return 1
    if options.check:
        with open(options.file, encoding="utf-8") as stream:
            same = stream.read() == picture(output)
        print(f"{options.file}: {'that very picture' if same else 'another picture'}")
        return 0 if same else 1
    with open(options.file, "w", encoding="utf-8") as stream:
        stream.write(picture(output))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as error:
        print(f"terminal_svg: {error}", file=sys.stderr)
        sys.exit(2)
