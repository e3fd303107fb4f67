"""Whether what a page shows is what came out. Numbers are examples unless a block is `exact`; `…` is anything."""

import json
import re

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
# Sentences of failures are compared word by word, other texts are examples.
SENTENCES = {"error", "detail", "title"}


def plain(line, exact):
    line = re.sub(r"[ \t]+", " ", line.strip())
    return line if exact else NUMBER.sub("0", line)


def pattern(text):
    return "".join(r"[\s\S]*?" if part == "…" else re.escape(part) for part in re.split("(…)", text))


def text_difference(shown, real, exact=False, lines=False):
    """`None` if the output is as shown, else what to print about it."""
    wanted = [plain(line, exact) for line in shown.strip("\n").split("\n")]
    found = [plain(line, exact) for line in real.strip("\n").split("\n")]
    if lines:
        for line in wanted:
            if line and not any(re.fullmatch(pattern(line), candidate) for candidate in found):
                return f"nothing in the output is like\n  {line}\nThe output:\n{real}"
        return None
    # A line that is nothing but … stands for any number of lines, or for none.
    expression = "".join(r"(?:.*\n)*?" if line == "…" else pattern(line) + r"\n" for line in wanted)
    if re.fullmatch(expression, "\n".join(found) + "\n"):
        return None
    return f"shown:\n{shown}\nreal:\n{real}"


def without_elision(text):
    """JSON in which `…` alone stands for members that are left out: a member named `…`."""
    return re.sub(r"(?<=[,{])(\s*)…(\s*)(?=[,}])", r'\1"…": null\2', text)


def json_difference(shown, real, exact=False):
    wanted = json.loads(without_elision(shown))
    found = None
    for candidate in [real, *reversed(real.splitlines())]:
        try:
            found = json.loads(candidate)
            break
        except ValueError:
            continue
    if exact and found != wanted:
        return f"the output is not exactly this:\n{real}"
    if found is None:
        return f"the output is not JSON:\n{real}"
    differences = list(unlike(wanted, found, ""))
    return "\n".join(differences) + f"\nThe output:\n{real[:2000]}" if differences else None


def kind(value):
    if isinstance(value, bool):
        return "boolean"
    return {dict: "object", list: "list", str: "text", type(None): "null"}.get(type(value), "number")


def unlike(wanted, found, path):
    if wanted is None or found is None:
        return
    if kind(wanted) != kind(found):
        yield f"{path or 'the answer'} is shown as {kind(wanted)} and is {kind(found)}"
    elif isinstance(wanted, dict):
        # Names of labels are an account's own.
        if path.endswith("labels"):
            return
        for key in wanted:
            if key != "…" and key not in found:
                yield f"{path}.{key} is shown and is not there"
        for key in found:
            if key not in wanted and "…" not in wanted:
                yield f"{path}.{key} is there and not shown"
        for key in wanted.keys() & found.keys():
            yield from unlike(wanted[key], found[key], f"{path}.{key}")
    elif isinstance(wanted, list):
        if wanted and not found:
            yield f"{path} is empty, and shown with members"
        elif wanted:
            yield from unlike(wanted[0], found[0], f"{path}[0]")
    elif isinstance(wanted, str) and path.rsplit(".", 1)[-1] in SENTENCES and path.count(".") == 1:
        if not re.fullmatch(pattern(wanted), found):
            yield f"{path} is shown as {wanted!r} and is {found!r}"
