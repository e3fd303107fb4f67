"""The pages whose examples are run, and the fenced blocks in them with what stands before each in comments."""

import dataclasses
import pathlib
import re
import tomllib

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
BOOK = REPOSITORY / "docs"
# Pages beside the book whose examples are run as well.
OUTSIDE = ["README.md", "CONTRIBUTING.md", "openapi/README.md"]

# <!-- untested: reason -->        not run; the reason is printed
# <!-- elsewhere: a step: what -->  run by another step of the test
# <!-- file: name -->              what the block holds is written to this file
# <!-- exit: 3 -->                 the block ends with this code
# <!-- exact -->                   the output is compared with its numbers
# <!-- lines -->                   each line of the output is somewhere in the real one, in any order
# <!-- shown: command -->          the output of this command, whatever stands before
# <!-- parsed -->                  a file of another program: it is read as what it claims to be, no more
ANNOTATIONS = ["untested", "elsewhere", "file", "exit", "exact", "lines", "shown", "parsed"]
COMMENT = re.compile(r"<!--\s*(\w+)(?::\s*(.*?))?\s*-->$")
HIDDEN = re.compile(r"<!-- run\n(.*?)\n-->", re.DOTALL)


@dataclasses.dataclass
class Block:
    page: str
    line: int
    language: str
    text: str
    annotations: dict
    # Only empty lines and comments stand between it and the block before.
    adjacent: bool = False

    @property
    def place(self):
        return f"{self.page}:{self.line}"


@dataclasses.dataclass
class Page:
    name: str
    blocks: list
    # `<!-- server: own -->`: the page serves by itself; else it reads the demonstration.
    own_server: bool


class Malformed(Exception):
    pass


def names():
    return OUTSIDE + sorted(
        str(path.relative_to(REPOSITORY)) for path in BOOK.rglob("*.md") if path.name != "SUMMARY.md"
    )


def outside_annotations():
    """Notes on blocks of pages that have no such comments, by page and by how the block begins."""
    with open(pathlib.Path(__file__).parent / "outside.toml", "rb") as file:
        return tomllib.load(file)


def read(name):
    text = (REPOSITORY / name).read_text()
    notes = outside_annotations().get(name, {})
    blocks, comments, adjacent = [], {}, False
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        fence = re.match(r"\s*(```+|~~~+)\s*(.*)$", line)
        hidden = line.strip() == "<!-- run"
        if fence or hidden:
            begin = number + 1
            number = begin
            end = "-->" if hidden else fence.group(1)
            while number < len(lines) and lines[number].strip() != end:
                number += 1
            if number == len(lines):
                raise Malformed(f"{name}:{begin}: this block never ends")
            indent = len(line) - len(line.lstrip())
            body = "\n".join(part[indent:] for part in lines[begin:number])
            language = "hidden" if hidden else (fence.group(2).split() or [""])[0]
            for note in notes.get("block", []):
                if body.startswith(note["begins"]):
                    note["met"] = True
                    comments.update({key: value for key, value in note.items() if key in ANNOTATIONS})
                    if "before" in note:
                        blocks.append(Block(name, begin, "hidden", note["before"], {}))
                    body = note.get("instead", body)
                    for text, stands_for in note.get("reads", []):
                        if text not in body:
                            raise Malformed(f"{name}:{begin}: outside.toml reads {text!r}, which is not there")
                        body = body.replace(text, stands_for)
            blocks.append(Block(name, begin, language, body, comments, adjacent))
            comments, adjacent = {}, True
        elif match := COMMENT.match(line.strip()):
            if match.group(1) in ANNOTATIONS:
                if match.group(1) in ("untested", "elsewhere") and not match.group(2):
                    raise Malformed(f"{name}:{number + 1}: {match.group(1)} gives no reason")
                comments[match.group(1)] = match.group(2) or ""
        elif line.strip():
            adjacent = False
            if comments:
                raise Malformed(f"{name}:{number + 1}: a comment on a block without a block behind it: {comments}")
        number += 1
    for note in notes.get("block", []):
        if not note.get("met"):
            raise Malformed(f"outside.toml has a note on a block of {name} that is not there: {note['begins']!r}")
    return Page(name, blocks, notes.get("server") == "own" or "<!-- server: own -->" in lines)
