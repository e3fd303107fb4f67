"""The table of settings on docs/operate/configuration.md says what the program says, both ways."""

import os
import re
import shutil
import subprocess
import tempfile

import pages

PAGE = "docs/operate/configuration.md"
CERTIFICATE = pages.REPOSITORY / "bins/astranetmon/tests/certificates/first.crt"
# Values for what has no default.
SAMPLES = {
    "public_url": "https://monitor.example.com",
    "setup_link_file": "setup-link",
    "workers": "2",
    "tls.cert": "monitor.crt",
    "tls.key": "monitor.key",
    "smtp.host": "mail.example.com",
    "smtp.port": "587",
    "smtp.user": "monitor",
    "smtp.password": "secret",
    "smtp.from": "monitor@example.com",
}


def table_rows():
    rows = {}
    for line in (pages.REPOSITORY / PAGE).read_text().split("\n"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"`[a-z_.]+`", cells[0]):
            *flag, variable = (word.strip("`") for word in cells[1].split(", "))
            rows[cells[0].strip("`")] = {
                "flag": flag[0] if flag else None,
                "variable": variable,
                "default": cells[2].strip("`"),
                "meaning": cells[3],
            }
    return rows


def effective(text):
    """Setting: its value and its source, of what `serve --check` prints."""
    settings, table = {}, ""
    for line in text.split("\n"):
        if match := re.fullmatch(r"\[(\w+)\]", line):
            table = match.group(1) + "."
        elif match := re.fullmatch(r"# (\w+) is not set", line):
            settings[table + match.group(1)] = ("none", None)
        elif match := re.fullmatch(r"(\w+) = (.*) # (.*)", line):
            settings[table + match.group(1)] = (match.group(2).strip('"'), match.group(3))
    return settings


def check(binary):
    rows = table_rows()
    failures = []
    own = ("ASTRANETMON_", "DATABASE_URL")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(own)}

    def serve(*arguments, variables=None):
        with tempfile.TemporaryDirectory() as folder:
            for kind in ("crt", "key"):
                shutil.copy(CERTIFICATE.with_suffix("." + kind), f"{folder}/monitor.{kind}")
            answer = subprocess.run(
                [binary, "serve", *arguments],
                capture_output=True,
                text=True,
                cwd=folder,
                env={**environment, **(variables or {})},
            )
        if answer.returncode != 0:
            failures.append(f"serve {' '.join(arguments)} with {variables or 'nothing set'}: {answer.stderr.strip()}")
        return answer.stdout

    known = effective(serve("--check"))
    for name in sorted(known.keys() - rows.keys()):
        failures.append(f"{PAGE} lacks the setting {name}")
    for name in sorted(rows.keys() - known.keys()):
        failures.append(f"{PAGE} has {name}, which is no setting")
    rows = {name: row for name, row in rows.items() if name in known}
    for name, row in rows.items():
        if row["default"] != known[name][0]:
            failures.append(f"{PAGE}: the default of {name} is {known[name][0]}, not {row['default']}")
        if not row["meaning"]:
            failures.append(f"{PAGE} does not say what {name} means")
        if row["variable"] != "ASTRANETMON_" + name.replace(".", "_").upper():
            failures.append(f"{PAGE}: {row['variable']} is not the variable of {name}")

    value = {name: SAMPLES.get(name, known[name][0]).replace("[]", "") for name in rows}
    # An empty variable counts as one that is not set.
    lists = [name for name in rows if known[name][0] == "[]"]
    value.update(dict.fromkeys(lists, "10.0.0.0/8"))
    value["cors_origins"] = "https://status.example.com"
    set_by = effective(serve("--check", variables={row["variable"]: value[name] for name, row in rows.items()}))
    for name, row in rows.items():
        if name in set_by and set_by[name][1] != row["variable"]:
            failures.append(f"{PAGE}: {row['variable']} does not set {name}; {set_by[name][1]} does")

    page = (pages.REPOSITORY / PAGE).read_text()
    flags = set(re.findall(r"^\s+(--[a-z-]+)", serve("--help"), flags=re.MULTILINE)) - {"--help"}
    in_table = {row["flag"]: name for name, row in rows.items() if row["flag"]}
    for flag in sorted(in_table.keys() - flags):
        failures.append(f"{PAGE} has {flag}, which serve does not take")
    for flag in sorted(flags - in_table.keys()):
        if f"| `{flag}" not in page:
            failures.append(f"{PAGE} lacks {flag}")
    arguments = []
    for flag, name in in_table.items():
        arguments += [flag] if known[name][0] in ("true", "false") else [flag, value[name]]
    set_by = effective(serve("--check", *arguments))
    for flag, name in in_table.items():
        if name in set_by and set_by[name][1] != flag:
            failures.append(f"{PAGE}: {flag} does not set {name}; {set_by[name][1]} does")
    return failures
