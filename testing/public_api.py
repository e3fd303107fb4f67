"""Lists what each library crate promises, from the pages that `cargo doc` has written, and compares it with
crates/*/public-api.txt: public_api.py DOC_FOLDER. With UPDATE_GOLDEN=1 it writes the lists instead.

A line is an item, a field, a variant, a method or an implementation, as the compiler understood it: what macros and
derives made is there too, and so are Send, Sync and Unpin, which nobody wrote. Blanket implementations are not."""

import difflib
import os
import re
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path

VOID = {"br", "hr", "img", "input", "link", "meta", "wbr"}
AUTO_TRAITS = ("Send", "Sync", "Unpin")


class Page(HTMLParser):
    """What a page declares: texts with the kind of place where they stand."""

    def __init__(self, path):
        super().__init__()
        self.open = []  # (tag, id, classes)
        self.texts = []  # [place, id of the section, text]
        self.taking = None
        self.links = []
        self.generator = ""
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "meta":
            self.generator = attributes.get("data-rustdoc-version", self.generator)
        if tag in VOID:
            return
        classes = (attributes.get("class") or "").split()
        self.open.append((tag, attributes.get("id") or "", classes))
        if tag == "a" and any(classes == ["all-items"] for _, _, classes in self.open):
            self.links.append(attributes["href"])
        place = self.place(tag, classes)
        if place and not self.taking:
            self.taking = (len(self.open), [place, self.section(), ""])

    def handle_endtag(self, tag):
        if tag in VOID or not self.open:
            return
        self.open.pop()
        if self.taking and len(self.open) < self.taking[0]:
            self.texts.append(self.taking[1])
            self.taking = None

    def handle_data(self, data):
        # "Show 20 fields" is a button.
        if self.taking and not any(tag == "summary" for tag, _, _ in self.open[self.taking[0] :]):
            self.taking[1][2] += data

    def section(self):
        return next((id for tag, id, _ in reversed(self.open) if tag == "section" and id != "main-content"), "")

    def place(self, tag, classes):
        if tag == "pre" and "item-decl" in classes:
            return "declaration"
        if tag == "code" and any(id == "reexports" or "reexport" in id for _, id, _ in self.open):
            return "reexport"
        if "code-header" not in classes:
            return None
        lists = [id for _, id, _ in self.open if id.endswith("-list")]
        return lists[0] if lists else "member"


def one_line(text):
    text = " ".join(re.sub(r"//[^\n]*", "", text).split()).replace("]pub ", "] pub ")
    # What async_trait makes of `async fn`.
    text = re.sub(r"fn (\w+)<(?:'life\d+, )*'async_trait(?:, )?", r"async fn \1<", text).replace("<>(", "(")
    text = re.sub(r"(?:where )?(?:\w+: 'async_trait|'life\d+: 'async_trait)(?: \+ 'async_trait)?,? ?", "", text)
    text = re.sub(r"Pin<Box<dyn Future<Output = (.*)> \+ Send \+ 'async_trait>>", r"\1", text)
    text = re.sub(r"'life\d+ ?", "", text)
    text = re.sub(r",? ([)}\]])", r" \1", text).replace("( ", "(").replace(" )", ")")
    return re.sub(r"(?<=[^\s(])where ", " where ", text).strip().rstrip(";,").strip()


def members(body):
    """The parts between commas that stand in no brackets."""
    depth, part = 0, ""
    for before, letter in zip(" " + body, body):
        depth += letter in "([{<"
        depth -= letter in ")]}" or (letter == ">" and before not in "-=")
        if letter == "," and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += letter
    if part.strip():
        yield part.strip()


def declared(kind, path, page):
    name = f"{kind} {path}"
    plain = set()
    for place, section, text in page.texts:
        text = one_line(text)
        if place == "declaration":
            head, brace, body = text.partition("{")
            yield f"{name}: {head.strip()}"
            if kind in ("struct", "enum", "union") and brace:
                for member in members(body.rstrip().removesuffix("}")):
                    yield f"{name}: {{ {member} }}"
            elif kind not in ("trait", "struct", "enum", "union") and brace:
                yield f"{name}: {text}"
        elif kind == "trait":
            if place == "member":
                yield f"{name}: {'required' if section.startswith('ty') else 'provided'} {text}"
        elif place == "implementations-list":
            if section.startswith("impl"):
                implementation = text
            else:
                yield f"{name}: {implementation} {{ {text} }}"
        elif place in ("trait-implementations-list", "synthetic-implementations-list") and section.startswith("impl"):
            implemented = re.search(r"(\w+)(<.*>)? for ", text).group(1)
            if implemented == "StructuralPartialEq" or (place.startswith("s") and implemented not in AUTO_TRAITS):
                continue
            if re.fullmatch(rf"impl \w+ for {path.rpartition('::')[2]}", text):
                plain.add(implemented)
            else:
                yield f"{name}: {text}"
    if plain:
        yield f"{name}: implements {', '.join(sorted(plain))}"


def listed(folder):
    index = Page(folder / "all.html")
    lines = []
    for link in index.links:
        kind, item, _ = link.rpartition("/")[2].split(".")
        path = "::".join([*Path(link).parent.parts, item])
        lines += declared(kind, path, Page(folder / link))
    for path in sorted(folder.rglob("index.html")):
        module = "::".join(path.parent.relative_to(folder).parts)
        lines += (f"reexport {module}".rstrip() + f": {text}" for place, _, text in Page(path).texts if place == "reexport")
    # A name with two declarations, as constants under conditions have, keeps both.
    return sorted(set(lines)), index.generator


def main():
    documentation = Path(sys.argv[1])
    update = bool(os.environ.get("UPDATE_GOLDEN"))
    wrong = 0
    for manifest in sorted(Path("crates").glob("*/Cargo.toml")):
        name = tomllib.loads(manifest.read_text())["package"]["name"]
        lines, rustdoc = listed(documentation / name.replace("-", "_"))
        golden = manifest.with_name("public-api.txt")
        if len(lines) < 2:
            sys.exit(f"{name}: its pages declare nothing; are they those of cargo doc? ({rustdoc})")
        if update:
            golden.write_text("\n".join(lines) + "\n")
            continue
        known = golden.read_text().splitlines() if golden.exists() else []
        changes = [line for line in difflib.unified_diff(known, lines, lineterm="", n=0) if not line.startswith("@@")]
        if changes:
            wrong += 1
            print(f"{name}: the public API is not what {golden} says", *changes[2:], sep="\n")
        else:
            print(f"{name}: {len(lines)} lines as in {golden}")
    if wrong:
        sys.exit(
            f"{wrong} crates differ. A line that is gone or changed breaks those who use it: say so in CHANGELOG.md and "
            f"raise the version. Then UPDATE_GOLDEN=1 testing/steps/public_api writes the lists. This is rustdoc {rustdoc}."
        )


main()
