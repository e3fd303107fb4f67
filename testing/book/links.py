"""Links to pages and to files of the repository lead somewhere; the table of contents names every page once."""

import re
import unicodedata

import pages

# How a page points to a file that is not in the book: right on a page of the book as well as on the forge.
FORGE = "https://github.com/astranetmon/astranetmon/"
LINK = re.compile(r"(?<!!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]*(?:\([^()]*\)[^()\s]*)*)\)|!\[[^\]]*\]\(([^()\s]+)\)")


def without_code(text):
    text = re.sub(r"^(\s*)(```+|~~~+).*?^\s*\2\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(text):
    """The ids of headings, as mdBook and the forge make them."""
    found = {}
    body = re.sub(r"^(\s*)(```+|~~~+).*?^\s*\2\s*$", "", text, flags=re.MULTILINE | re.DOTALL)
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", body, flags=re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        slug = "".join(
            "-" if character.isspace() else character
            for character in heading.lower()
            if character in "-_" or character.isspace() or unicodedata.category(character)[0] in "LN"
        )
        found[slug] = found.get(slug, -1) + 1
        if found[slug]:
            found[f"{slug}-{found[slug]}"] = 0
    return set(found)


def dead_links(name):
    path = pages.REPOSITORY / name
    for match in LINK.finditer(without_code(path.read_text())):
        target = match.group(1) or match.group(2) or ""
        if target.startswith(FORGE):
            inside = re.sub(r"^(?:blob|tree)/main/", "", target.removeprefix(FORGE)).split("#")[0]
            if not (pages.REPOSITORY / inside).exists():
                yield f"{name}: {target} is not in the repository"
            elif inside.startswith("docs/") and inside.endswith(".md"):
                yield f"{name}: {target} is a page of the book: link it as such"
            continue
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        other = (path.parent / file).resolve() if file else path
        if not other.exists():
            yield f"{name}: {target} is not there"
        elif name.startswith("docs/") and pages.BOOK not in [other, *other.parents]:
            yield f"{name}: {target} is outside of the book and will be dead in it: link {FORGE}blob/main/…"
        elif anchor and other.suffix == ".md" and anchor not in anchors(other.read_text()):
            yield f"{name}: {target}: there is no such heading"


def wrong_contents():
    summary = (pages.BOOK / "SUMMARY.md").read_text()
    named = re.findall(r"\]\(([^)]*)\)", summary)
    there = {str(path.relative_to(pages.BOOK)) for path in pages.BOOK.rglob("*.md")} - {"SUMMARY.md"}
    for name in sorted(there - set(named)):
        yield f"docs/SUMMARY.md does not name {name}"
    for name in sorted(set(named)):
        if name not in there:
            yield f"docs/SUMMARY.md names {name}, which is not there"
        if named.count(name) > 1:
            yield f"docs/SUMMARY.md names {name} {named.count(name)} times"


def check():
    failures = list(wrong_contents())
    for name in pages.names():
        failures.extend(dead_links(name))
    return failures
