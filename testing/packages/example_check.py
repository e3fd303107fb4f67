"""example_check.py EXAMPLE PROGRAM: packaging/astranetmon.toml shows every setting, and the defaults as they are."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

example = pathlib.Path(sys.argv[1]).read_text()
program = sys.argv[2]


def effective(text):
    """The settings, by name, as the program understands the text."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        ran = subprocess.run(
            [program, "serve", "--check", "--config", file.name],
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
        )
    if ran.returncode != 0:
        sys.exit(f"the example is not understood: {ran.stderr.strip()}")
    values, table = {}, ""
    for line in ran.stdout.splitlines():
        if line.startswith("["):
            table = line.strip("[]") + "."
        elif match := re.match(r"(\w+) = (.*) # ", line):
            values[table + match[1]] = match[2]
        elif match := re.match(r"# (\w+) is not set", line):
            values[table + match[1]] = None
    return values


settings = effective("")
defaults = "\n".join(re.sub(r"^#(?=[a-z_\[])", "", line) for line in example.splitlines())
wrong = [
    f"{name} is {settings[name]}, the example says {value}"
    for name, value in effective(defaults).items()
    if value != settings[name] and name != "database_url"
]
# Each name stands in the example as a default or as an example, in its table.
shown, table = set(), ""
for line in example.splitlines():
    if match := re.match(r"#?\[(\w+)\]", line):
        table = match[1] + "."
    elif match := re.match(r"(?:#|## )?(\w+) = ", line):
        shown.add(table + match[1])
wrong += [f"{name} is not in the example" for name in settings if name not in shown]
wrong += [f"{name} is no setting" for name in shown if name not in settings]

# The examples are understood, each in place of the default that it may follow. Files of TLS are not there to be read.
lines, seen = [], set()
for line in reversed(example.splitlines()):
    line = re.sub(r"^(#(?=[a-z_\[])|## )", "", line)
    if line.startswith("["):
        seen.clear()
    elif match := re.match(r"(\w+) = ", line):
        if match[1] in seen or match[1] in ("cert", "key"):
            continue
        seen.add(match[1])
    lines.append(line)
effective("\n".join(reversed(lines)))
for sentence in wrong:
    print(sentence, file=sys.stderr)
sys.exit(1 if wrong else 0)
