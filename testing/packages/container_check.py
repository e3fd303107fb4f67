"""What can be checked of packaging/container where no container runs.

container_check.py REPOSITORY PROGRAM: the Containerfile is read and held against rules, the compose file is read as
YAML and held against rules, and PROGRAM (`astranetmon`) is asked whether it understands the variables of both together.
container_check.py REPOSITORY healthcheck: prints the script of the image's health check, for a shell to run.
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib

import yaml

INSTRUCTIONS = set(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ONBUILD RUN SHELL STOPSIGNAL USER VOLUME "
    "WORKDIR".split()
)
SECRET = re.compile(r"PASSWORD|PASSWD|SECRET|TOKEN|_KEY\b|CREDENTIAL", re.IGNORECASE)

repository = pathlib.Path(sys.argv[1])
container = repository / "packaging/container"
wrong = []


def check(holds, sentence):
    if not holds:
        wrong.append(sentence)


def instructions(path):
    """Each with its text, lines joined; comments inside are left out as the builder does it."""
    joined = ""
    for line in path.read_text().splitlines():
        if line.lstrip().startswith("#") or (not line.strip() and joined):
            continue
        if line.rstrip().endswith("\\"):
            joined += line.rstrip()[:-1] + " "
            continue
        joined += line
        if joined.strip():
            word, _, rest = joined.strip().partition(" ")
            yield word, re.sub(r"\s+", " ", rest).strip() if word != "HEALTHCHECK" else rest.strip()
        joined = ""
    check(not joined.strip(), "the Containerfile ends in the middle of a line")


def stages():
    found = []
    for word, rest in instructions(container / "Containerfile"):
        check(word in INSTRUCTIONS, f"unknown instruction {word}")
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            found.append({"image": image, "name": name, "lines": []})
        elif not found:
            check(False, f"{word} stands before FROM")
        else:
            found[-1]["lines"].append((word, rest))
    return found


def texts(stage, word):
    return [rest for found, rest in stage["lines"] if found == word]


def healthcheck(stage):
    command = texts(stage, "HEALTHCHECK")[-1].partition("CMD ")[2]
    shell, option, script = json.loads(command)
    assert (shell, option) == ("bash", "-c"), "the health check is a script of bash"
    return script


def environment(stage):
    return dict(word.split("=", 1) for text in texts(stage, "ENV") for word in shlex.split(text))


def check_containerfile(found):
    names = [stage["name"] for stage in found]
    for stage in found:
        image, tag = stage["image"].rpartition(":")[::2]
        check(image.startswith("docker.io/library/"), f"{stage['image']} does not say which registry and owner")
        check(bool(tag) and tag != "latest", f"{stage['image']} is not one version")
        for text in texts(stage, "COPY"):
            origin = re.match(r"--from=(\S+)", text)
            check(not origin or origin[1] in names, f"COPY {text}: there is no such stage")
        for text in texts(stage, "RUN"):
            if "apt-get install" in text:
                check("--no-install-recommends" in text, "apt-get installs what is only recommended")
                check("rm -rf /var/lib/apt/lists/*" in text, "apt-get's lists stay in the layer")
        check(not texts(stage, "ADD"), "COPY does what ADD is used for")
        for word in ("ENV", "ARG"):
            for text in texts(stage, word):
                check(not SECRET.search(text), f"{word} {text} looks like a secret")
        for word in ("CMD", "ENTRYPOINT"):
            for text in texts(stage, word):
                check(isinstance(json.loads(text), list), f"{word} {text} would run in a shell, which gets the signals")
    workspace = tomllib.loads((repository / "Cargo.toml").read_text())["workspace"]["package"]
    check(
        f":{workspace['rust-version']}-slim" in found[0]["image"], "the builder has another Rust than Cargo.toml says"
    )
    check("cargo build --release --locked" in " ".join(texts(found[0], "RUN")), "the builder does not keep Cargo.lock")

    last = found[-1]
    check(len(found) > 1, "the image holds what built it")
    users = texts(last, "USER")
    check(len(users) == 1 and re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[0]), "the user is a number, and not root's")
    check(texts(last, "STOPSIGNAL") == ["SIGTERM"], "SIGTERM drains")
    check(len(texts(last, "HEALTHCHECK")) == 1, "there is no health check")
    check(json.loads(texts(last, "ENTRYPOINT")[0]) == ["astranetmon"], "the program is no entry point")
    folder = texts(last, "VOLUME")
    database = environment(last).get("ASTRANETMON_DATABASE_URL", "")
    check(len(folder) == 1 and database.startswith(f"sqlite://{folder[0]}/"), "the database is not in the volume")
    for line in (container / "Containerfile.dockerignore").read_text().splitlines():
        if line.startswith("!"):
            check((repository / line[1:]).exists(), f"{line[1:]} is kept for the build and is not there")


def check_compose(image_environment, program):
    path = container / "compose.yaml"
    compose = yaml.safe_load(path.read_text())
    services, secrets = compose["services"], compose["secrets"]
    for name, service in services.items():
        for secret in service.get("secrets", []):
            check(secret in secrets, f"{name}: there is no secret {secret}")
        for port in service.get("ports", []):
            check(str(port).startswith("127.0.0.1:"), f"{name}: port {port} is open to other machines")
        for other, how in service.get("depends_on", {}).items():
            check(how == {"condition": "service_healthy"}, f"{name} does not wait until {other} is healthy")
            check("healthcheck" in services[other], f"{other} has no health check")
        for network in service["networks"]:
            check(network in compose["networks"], f"{name}: there is no network {network}")
        for volume in service["volumes"]:
            check(volume.split(":")[0] in compose["volumes"], f"{name}: there is no volume {volume}")
        for variable, value in service["environment"].items():
            if SECRET.search(variable):
                check(variable.endswith("_FILE"), f"{name}: the value of {variable} is a secret")
            if variable.endswith("_FILE") and str(value).startswith("/run/secrets/"):
                check(value.removeprefix("/run/secrets/") in service["secrets"], f"{name}: {value} is not its secret")
    for name, secret in secrets.items():
        check(set(secret) == {"file"}, f"the secret {name} does not come from a file")
    server = services["astranetmon"]
    check(set(server["depends_on"]) == {"postgres"}, "the server does not wait for its database")
    build = server["build"]
    check((container / build["context"]).resolve() == repository.resolve(), "the context is not the repository")
    check((container / build["context"] / build["dockerfile"]).is_file(), "the Containerfile is elsewhere")
    gateway = compose["networks"]["inside"]["ipam"]["config"][0]["gateway"]
    check(server["environment"]["ASTRANETMON_TRUSTED_PROXIES"] == gateway, "the proxy is not the network's gateway")
    check(server["stop_grace_period"] == "30s", "the server needs longer to stop")

    # An unknown variable, a wrong value, and one that is set twice end the program with a sentence.
    for who, variables in (("the image", image_environment), ("compose", image_environment | server["environment"])):
        with tempfile.TemporaryDirectory() as folder:
            secret = pathlib.Path(folder, "database_url")
            secret.write_text("postgres://astranetmon:secret@postgres/astranetmon\n")
            variables = {name: str(value) for name, value in variables.items()}
            if "ASTRANETMON_DATABASE_URL_FILE" in variables:
                variables["ASTRANETMON_DATABASE_URL_FILE"] = str(secret)
            if who == "the image":
                # The image leaves to its user how callers are protected.
                variables["ASTRANETMON_INSECURE_HTTP"] = "true"
            ran = subprocess.run(
                [program, "serve", "--check"],
                env=variables | {"PATH": os.environ["PATH"]},
                capture_output=True,
                text=True,
            )
            check(ran.returncode == 0, f"the server does not understand the variables of {who}: {ran.stderr.strip()}")
            expected = "postgres://astranetmon:***@postgres/astranetmon" if who == "compose" else "sqlite:///var/lib/"
            check(expected in ran.stdout, f"with the variables of {who} the database is another one")


found = stages()
if sys.argv[2] == "healthcheck":
    print(healthcheck(found[-1]))
else:
    check_containerfile(found)
    check_compose(environment(found[-1]), sys.argv[2])
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    sys.exit(1 if wrong else 0)
