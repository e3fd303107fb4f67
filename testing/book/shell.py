"""Runs the blocks of one page in one shell, in a folder of its own, and says what was not as the page has it."""

import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import tomllib

import yaml

import compare
import pages
import settings

HERE = pathlib.Path(__file__).resolve().parent
COMMANDS = HERE / "commands"
SHELLS = {"sh", "bash", "hidden"}
OUTPUTS = {"text", "json", "csv"}
OF_THE_MACHINE = re.compile(r"(?<![\w.-])/(?:etc|home|opt|root|srv|usr|var)\b")
# A page's examples take seconds; a demonstration that starts anew takes most of them.
PAGE_SECONDS = 120

with open(HERE / "substitutions.toml", "rb") as substitutions_file:
    SUBSTITUTIONS = tomllib.load(substitutions_file)


class YamlOfHomes(yaml.SafeLoader):
    """YAML with the tags of Home Assistant."""


YamlOfHomes.add_constructor("!secret", lambda loader, node: f"secret {loader.construct_scalar(node)}")


def free_address():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def console_commands(text):
    """Commands and what each shows, of a block with prompts; a line that ends in a backslash goes on."""
    pairs, goes_on = [], False
    for line in text.split("\n"):
        if goes_on:
            pairs[-1][0] += "\n" + line
        elif line.startswith(("$ ", "# ")):
            pairs.append([line[2:], []])
        elif pairs:
            pairs[-1][1].append(line)
        else:
            raise pages.Malformed(f"a block of prompts begins without one: {line!r}")
        goes_on = line.endswith("\\")
    return [(command, "\n".join(shown)) for command, shown in pairs]


def has_prompts(block):
    return block.language == "console" or (block.language == "text" and block.text.startswith("$ "))


class Run:
    """What is known of the run: the demonstration, the programs, the database server."""

    def __init__(self, binary, agent, demo, postgres):
        self.binary, self.agent, self.demo, self.postgres = binary, agent, demo, postgres


class PageRun:
    def __init__(self, run, page):
        self.run, self.page = run, page
        self.failures, self.untested, self.elsewhere, self.executed = [], [], [], 0
        self.temporary = tempfile.TemporaryDirectory(prefix="book-")
        self.work = pathlib.Path(self.temporary.name)
        self.folder = self.work / "page"
        for name in ("page", "blocks", "out"):
            (self.work / name).mkdir()
        # The certificate that pages about TLS have.
        certificates = self.folder / "etc" / "astranetmon"
        certificates.mkdir(parents=True)
        shutil.copy(settings.CERTIFICATE, certificates / "fullchain.pem")
        shutil.copy(settings.CERTIFICATE.with_suffix(".key"), certificates / "privkey.pem")
        self.address = free_address() if page.own_server else run.demo["url"].removeprefix("http://")
        self.values = {
            "url": f"http://{self.address}",
            "address": self.address,
            "port": self.address.rsplit(":", 1)[1],
            "metrics_address": free_address(),
            "folder": str(self.folder),
        }
        self.script = [(HERE / "session.sh").read_text()]
        # Number of a step, its block, what it shows.
        self.steps, self.checks = [], []

    def fail(self, block, text):
        self.failures.append(f"{block.place}: {text}")

    def substituted(self, text):
        if self.uses_postgres(text):
            self.values["postgres"] = self.run.postgres(self.page.name)
        for substitution in SUBSTITUTIONS["text"]:
            if substitution["page"] in text:
                text = text.replace(substitution["page"], substitution["run"].format(**self.values))
        return text

    def uses_postgres(self, text):
        if "postgres" in self.values:
            return False
        return any(s["page"] in text for s in SUBSTITUTIONS["text"] if s["run"] == "{postgres}")

    def step(self, block, text, command):
        number = len(self.steps)
        self.steps.append(block)
        text, command = self.substituted(text), self.substituted(command)
        # The test writes nowhere but to the page's folder.
        if touched := OF_THE_MACHINE.search((text + command).replace(str(self.folder), "page")):
            raise pages.Malformed(
                f"{block.place}: it names {touched.group()}…, which substitutions.toml does not replace"
            )
        (self.work / "blocks" / str(number)).write_text(text)
        self.script.append(f"take {number}\n{command.format(number=number)}")
        return number

    def evaluated(self, block, text):
        self.executed += block.language != "hidden"
        code = int(block.annotations.get("exit", "0"))
        return self.step(block, text, "run_block {number}" if code == 0 else f"run_block_until_code {{number}} {code}")

    def prepare(self):
        ran = None
        for block in self.page.blocks:
            annotations, language = block.annotations, block.language
            before, ran = ran if block.adjacent or "shown" in annotations else None, None
            if "untested" in annotations:
                self.untested.append((block, annotations["untested"]))
            elif "elsewhere" in annotations:
                self.check_elsewhere(block)
            elif "file" in annotations:
                self.check_form(block)
                self.executed += 1
                self.step(block, block.text, f"write_file {shlex.quote(annotations['file'])}")
            elif has_prompts(block):
                for command, shown in console_commands(block.text):
                    self.checks.append((self.evaluated(block, command), block, "text", shown))
            elif language in SHELLS:
                ran = self.evaluated(block, block.text)
            elif language == "python":
                self.executed += 1
                ran = self.step(block, block.text, "run_python {number}")
            elif language in OUTPUTS and annotations.get("shown", "previous") != "previous":
                number = self.evaluated(block, annotations["shown"])
                self.checks.append((number, block, language, block.text))
            elif language in OUTPUTS and (before is not None or "shown" in annotations):
                number = before if before is not None else len(self.steps) - 1
                self.checks.append((number, block, language, block.text))
                # What one command printed may be shown in two blocks.
                ran = number
            elif language == "text":
                self.fail(block, "a block of text that follows no command says nothing that can be tested")
            elif language in ("json", "toml", "yaml"):
                self.executed += 1
                self.check_form(block)
            else:
                self.fail(block, f"nobody knows how to test {language or 'this'}: say untested, and why")

    def check_elsewhere(self, block):
        step, _, what = block.annotations["elsewhere"].partition(": ")
        path = pages.REPOSITORY / step
        if not path.exists() or what not in path.read_text():
            self.fail(block, f"{step} is said to run this, and does not have {what!r}")
        self.elsewhere.append((block, step))

    def check_form(self, block):
        """JSON, TOML and YAML are what they claim to be; TOML is the server's, unless something else is said."""
        try:
            if block.language == "json":
                json.loads(compare.without_elision(block.text))
            elif block.language == "yaml":
                list(yaml.load_all(block.text, Loader=YamlOfHomes))
            elif block.language == "toml":
                tomllib.loads(block.text)
                if "parsed" not in block.annotations and not block.annotations.get("file", "").endswith("agent.toml"):
                    self.check_configuration(block)
        except ValueError as error:
            self.fail(block, f"not {block.language}: {error}")
        except yaml.YAMLError as error:
            self.fail(block, f"not YAML: {error}")

    def check_configuration(self, block):
        path = self.work / "configuration.toml"
        path.write_text(self.substituted(block.text))
        answer = subprocess.run(
            [self.run.binary, "serve", "--check", "--config", path], capture_output=True, text=True, cwd=self.work
        )
        if answer.returncode != 0:
            self.fail(block, f"the server does not take this configuration: {answer.stderr.strip()}")

    def environment(self):
        demo = self.run.demo
        environment = {
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PATH": f"{COMMANDS}:{pathlib.Path(os.environ['BOOK_PYTHON']).parent}:{os.environ['PATH']}",
            "no_proxy": "127.0.0.1",
            "NO_PROXY": "127.0.0.1",
            "BOOK_BINARY": self.run.binary,
            "BOOK_AGENT": self.run.agent,
            "BOOK_PYTHON": os.environ["BOOK_PYTHON"],
            "BOOK_WORK": str(self.work),
            "BOOK_FOLDER": str(self.folder),
            "BOOK_URL": self.values["url"],
            "BOOK_ADDRESS": self.address,
            "REPOSITORY": str(pages.REPOSITORY),
            # Where `astranetmon get` reads unless a page says where.
            "ASTRANETMON_SERVER": self.values["url"],
        }
        if any("--server https://monitor" in block.text for block in self.page.blocks):
            environment["BOOK_TLS"] = "yes"
        if self.page.own_server:
            environment["ASTRANETMON_LISTEN"] = self.address
            environment["ASTRANETMON_METRICS_LISTEN"] = self.values["metrics_address"]
        else:
            environment["KEY"] = environment["ASTRANETMON_API_KEY"] = demo["keys"]["enterprise"]
            environment["STARTER"] = demo["keys"]["starter"]
            environment["PROFESSIONAL"] = demo["keys"]["professional"]
            environment["ASTRANETMON_DATABASE_URL"] = demo["database"]
        return environment

    def play(self):
        (self.work / "script").write_text("\n".join(self.script))
        shell = subprocess.Popen(
            ["bash", self.work / "script"],
            cwd=self.folder,
            env=self.environment(),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            said, _ = shell.communicate(timeout=PAGE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            said, _ = shell.communicate()
            said += f"\nit was ended after {PAGE_SECONDS} s"
        except BaseException:
            # Whoever ends the run ends the page, which has a session of its own.
            os.killpg(shell.pid, signal.SIGKILL)
            raise
        reached = self.work / "at"
        at = int(reached.read_text()) if reached.exists() else -1
        if shell.returncode != 0:
            at = max(at, 0)
            text = (self.work / "blocks" / str(at)).read_text()
            self.fail(self.steps[at], f"failed:\n{text}\n{self.output(at)}\n{said}")
            return at
        return len(self.steps)

    def output(self, number):
        path = self.work / "out" / str(number)
        return path.read_text(errors="replace") if path.exists() else ""

    def check_outputs(self, reached):
        for number, block, language, shown in self.checks:
            if number >= reached or (has_prompts(block) and not shown.strip()):
                # A page need not show what a command prints.
                continue
            # What a program says of itself has the names that stand on the page.
            readings = [
                self.difference(block, language, text, self.output(number)) for text in (self.substituted(shown), shown)
            ]
            if all(readings):
                self.fail(block, readings[0])

    def difference(self, block, language, shown, real):
        exact = "exact" in block.annotations
        if language == "json" or (has_prompts(block) and shown.startswith("{")):
            try:
                return compare.json_difference(shown, real, exact)
            except ValueError as error:
                return f"not JSON: {error}"
        return compare.text_difference(shown, real, exact, "lines" in block.annotations)

    def end(self):
        """Ends what the page has started, and takes its folder away."""
        for path in self.work.glob("*.pid"):
            subprocess.run([COMMANDS / "end", path.stem], env={**os.environ, "BOOK_WORK": str(self.work)}, check=False)
        self.temporary.cleanup()

    def go(self):
        try:
            self.prepare()
            if self.steps:
                self.check_outputs(self.play())
        finally:
            self.end()
