#!/usr/bin/env python3
"""Writes docs/reference/command-line.md from what the programs say of themselves with --help.

    docs/command_line.py FOLDER    the folder has astranetmon and astranetmon-agent, such as target/debug

The test of the book runs each --help and compares.
"""

import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parent / "reference" / "command-line.md"
BEGINNING = """# Command line

<!-- Written by docs/command_line.py from the programs' own help: change that, not this page. -->

What each command takes, in the programs' own words. Exit codes: 0, all is well; 1, the work failed; 2, the command line
or the configuration is wrong. `astranetmon get` has more, which its help names.
"""


def commands(program, words=()):
    """A program and its commands, each with its help, those with commands of their own first."""
    text = subprocess.run([program, *words, "--help"], capture_output=True, text=True, check=True).stdout.strip()
    yield words, text
    listed = re.search(r"^Commands:\n(.*?)\n\n", text + "\n\n", re.MULTILINE | re.DOTALL)
    for name in re.findall(r"^  ([a-z-]+) ", listed.group(1), re.MULTILINE) if listed else []:
        if name != "help":
            yield from commands(program, (*words, name))


def page(folder):
    yield BEGINNING
    for program in ("astranetmon", "astranetmon-agent"):
        for words, text in commands(folder / program):
            name = " ".join((program, *words))
            yield f"#{'#' if words == () else '##'} {name}\n\n```sh\n{name} --help\n```\n\n```text\n{text}\n```\n"


if len(sys.argv) != 2:
    sys.exit(__doc__)
PAGE.write_text("\n".join(page(pathlib.Path(sys.argv[1]).resolve())))
