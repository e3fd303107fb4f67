"""Runs every example of the book and of the pages beside it, and says what is not as they have it.

run.py DEMO.json          all pages; the file has the demonstration's url, keys and database
run.py DEMO.json PAGE…    these pages alone
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import links
import pages
import recipes
import settings
import shell


class PostgresServer:
    """A cluster that is started when the first page asks for a database, and one database a page."""

    def __init__(self):
        self.url = os.environ.get("ASTRANETMON_TEST_POSTGRES_URL")
        self.process = None

    def database(self, page):
        if not self.url:
            self.process = subprocess.Popen(
                [pages.REPOSITORY / "testing" / "postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            self.url = self.process.stdout.readline().strip()
            if not self.url:
                sys.exit("testing/postgres started no cluster")
        name = "".join(letter if letter.isalnum() else "_" for letter in f"book_{os.getpid()}_{page.lower()}")
        programs = [*sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql"), reverse=True), "psql"]
        subprocess.run([programs[0], "-q", self.url, "-c", f"CREATE DATABASE {name}"], check=True)
        before, after = self.url.rsplit("/postgres", 1)
        return f"{before}/{name}{after}"

    def end(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


def main():
    # What is running is ended by the `finally` of whoever started it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
    demo = json.loads(pathlib.Path(sys.argv[1]).read_text())
    wanted = sys.argv[2:] or pages.names()
    binary, agent = os.environ["BOOK_BINARY"], os.environ["BOOK_AGENT"]
    failures, untested, elsewhere, executed = [], [], [], 0
    postgres = PostgresServer()
    run = shell.Run(binary, agent, demo, postgres.database)
    try:
        for name in wanted:
            start = time.monotonic()
            try:
                page_run = shell.PageRun(run, pages.read(name))
                page_run.go()
            except pages.Malformed as error:
                failures.append(str(error))
                continue
            failures += page_run.failures
            untested += page_run.untested
            elsewhere += page_run.elsewhere
            executed += page_run.executed
            seconds = time.monotonic() - start
            if page_run.executed:
                print(f"{name}: {page_run.executed} examples, {seconds:.1f} s", flush=True)
    finally:
        postgres.end()
    if not sys.argv[2:]:
        failures += links.check()
        failures += settings.check(binary)
        failures += recipes.check(demo["url"], demo["keys"]["enterprise"])

    print(f"\n{executed} examples were run; {len(elsewhere)} are run by other steps:")
    for block, step in elsewhere:
        print(f"  {block.place}: {step}")
    print(f"{len(untested)} are not run:")
    for block, reason in untested:
        print(f"  {block.place}: {block.text.strip().splitlines()[0]}: {reason}")
    for failure in failures:
        print(f"\nFAILED {failure}")
    print(f"\n{len(failures)} failures")
    sys.exit(bool(failures))


main()
