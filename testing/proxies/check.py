"""check.py EXAMPLES PROGRAM WORK [PROXY…]: each example of packaging/proxies in front of PROGRAM (`astranetmon`).

WORK holds cert.pem and key.pem of monitor.example.com. With ASTRANETMON_TEST_POSTGRES_URL two servers share a database,
and one of them is stopped while requests go on; else one server has a SQLite. Callers come from 127.0.0.9, so that a
proxy that does not say who calls is told apart from one that does.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.parse

HOST = "monitor.example.com"
CALLER = "127.0.0.9"
PASSWORD = "a correct otter kettle moon"
EVENT_WITHIN = 2.0

examples, program, work = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
names = sys.argv[4:] or ["nginx", "caddy", "haproxy"]
failures = []
checks = 0


def check(holds, sentence):
    global checks
    checks += 1
    if not holds:
        failures.append(f"{name}: {sentence}")
        print(f"WRONG {name}: {sentence}", file=sys.stderr)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Connection(http.client.HTTPConnection):
    """To a port of loopback from another address of it; with TLS as if it were monitor.example.com's 443."""

    def __init__(self, port, tls=True):
        super().__init__(HOST, timeout=20)
        self.place, self.tls = port, tls

    def connect(self):
        self.sock = socket.create_connection(("127.0.0.1", self.place), 20, source_address=(CALLER, 0))
        if self.tls:
            self.sock = trust.wrap_socket(self.sock, server_hostname=HOST)


class Answer:
    def __init__(self, answer):
        self.status, self.headers, self.body = answer.status, answer.headers, answer.read()

    def json(self):
        return json.loads(self.body)


def ask(port, method, path, body=None, tls=True, **headers):
    connection = Connection(port, tls)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict):
        headers["Content-Type"] = "application/json"
        body = json.dumps(body)
    try:
        connection.request(method, path, body, headers)
        return Answer(connection.getresponse())
    finally:
        connection.close()


def curl(port, path, *options, tls=True):
    """For what http.client cannot do: HTTP/2, and reading while a body is sent. Status, type, body, version."""
    scheme, number = ("https", 443) if tls else ("http", 80)
    words = [
        "curl",
        "--noproxy",
        "*",
        "-sS",
        "--cacert",
        str(work / "cert.pem"),
        "--max-time",
        "20",
        "--interface",
        CALLER,
    ]
    words += [
        "--connect-to",
        f"{HOST}:{number}:127.0.0.1:{port}",
        "-w",
        "\n%{http_version} %{http_code} %{content_type}",
    ]
    ran = subprocess.run([*words, *options, f"{scheme}://{HOST}{path}"], capture_output=True, text=True)
    body, _, told = ran.stdout.rpartition("\n")
    version, status, kind = told.split(" ", 2)
    return (int(status), kind, body, version) if ran.returncode == 0 else (0, "", ran.stderr, version)


def bearer(secret):
    return f"Bearer {secret}"


def metric():
    now = time.time_ns() // 1_000_000
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1000)) + f".{now % 1000:03d}Z"
    return {"metrics": [{"timestamp": stamp, "cpu_percent": 12.5}]}


def body_of(size, rows):
    """A body of about so many bytes, of rows in the past that no proxy before this one has sent."""
    first = time.time() - 86_400 * (2 + names.index(name))
    row = lambda number: {
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(first - number)),
        "cpu_percent": 1.5,
        "note": "x" * (size // rows - 82),
    }
    return json.dumps({"metrics": [row(number) for number in range(rows)]})


class Server:
    def __init__(self, number):
        self.log = work / f"server-{number}.log"
        self.number = number
        self.port = None

    def start(self):
        environment = dict(
            database,
            PATH=os.environ["PATH"],
            # The same place again, where it was started before.
            ASTRANETMON_LISTEN=f"127.0.0.1:{self.port or 0}",
            ASTRANETMON_METRICS_LISTEN="off",
            ASTRANETMON_TRUSTED_PROXIES="127.0.0.1",
            ASTRANETMON_PUBLIC_URL=f"https://{HOST}",
            ASTRANETMON_SPEEDTEST_SERVER="true",
            ASTRANETMON_LOG_FORMAT="json",
        )
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([program, "serve"], env=environment, stdout=log, stderr=log)
        told = len(self.lines("serving"))
        for _ in range(300):
            if len(self.lines("serving")) > told or (not told and self.lines("serving")):
                break
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            sys.exit(f"a server does not serve within 30 s: {self.log.read_text()}")
        if self.process.poll() is not None:
            sys.exit(f"a server has ended: {self.log.read_text()}")
        self.port = urllib.parse.urlsplit(self.lines("serving")[-1]["address"]).port

    def lines(self, message):
        lines = self.log.read_text().splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [line for line in told if line.get("message") == message]

    def stop(self):
        self.process.terminate()
        return self.process.wait(20)


def command(*words):
    ran = subprocess.run(
        [program, *words, "--format", "json"], env=database | {"PATH": os.environ["PATH"]}, capture_output=True
    )
    if ran.returncode != 0:
        sys.exit(f"{' '.join(words)}: {ran.stderr.decode()}")
    return json.loads(ran.stdout)


def make_database():
    """Its variables, and what removes it."""
    url = os.environ.get("ASTRANETMON_TEST_POSTGRES_URL")
    psql = shutil.which("psql") or max(map(str, pathlib.Path("/usr/lib/postgresql").glob("*/bin/psql")), default=None)
    if not url or not psql:
        return {"ASTRANETMON_DATABASE_URL": f"sqlite://{work}/astranetmon.sqlite3"}, lambda: None
    database = f"proxies_{os.getpid()}"
    run = lambda statement: subprocess.run([psql, "--no-psqlrc", "-qc", statement, url], check=True)
    run(f"CREATE DATABASE {database}")
    parts = urllib.parse.urlsplit(url)
    own = urllib.parse.urlunsplit(parts._replace(path=f"/{database}"))
    # A URL without a host loses its slashes on the way.
    own = own if own.startswith(f"{parts.scheme}://") else own.replace(f"{parts.scheme}:", f"{parts.scheme}://", 1)
    return {"ASTRANETMON_DATABASE_URL": own}, lambda: run(f"DROP DATABASE {database} WITH (FORCE)")


def example(file, *changes):
    """The example's text with what is other here: every change has to find what it replaces."""
    text = (examples / file).read_text()
    for pattern, replacement in changes:
        text, found = re.subn(pattern, lambda match: match.expand(replacement), text, flags=re.MULTILINE)
        if not found:
            sys.exit(f"{file} has nothing like {pattern}")
    return text


def nginx(plain, secure, folder):
    more = [(r"^    # (server 127.0.0.1:8081;)", r"    \1")] if len(ports) > 1 else []
    site = example(
        "nginx.conf",
        *more,
        (r"^ *listen \[::\].*\n", ""),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"listen 443 ", f"listen 127.0.0.1:{secure} "),
        (r"/etc/ssl/monitor.example.com/fullchain.pem", f"{work}/cert.pem"),
        (r"/etc/ssl/monitor.example.com/privkey.pem", f"{work}/key.pem"),
        (r"127.0.0.1:8080", f"127.0.0.1:{ports[0]}"),
        (r"127.0.0.1:8081", f"127.0.0.1:{ports[-1]}"),
    )
    (folder / "site.conf").write_text(site)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # As root it would become a user who cannot write here.
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}include {folder}/site.conf;\n}}\n"
    )
    return ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(plain, secure, folder):
    servers = " ".join(f"127.0.0.1:{port}" for port in ports)
    site = example(
        "Caddyfile",
        (r"^monitor.example.com \{", f"monitor.example.com {{\n\ttls {work}/cert.pem {work}/key.pem"),
        (r"^\treverse_proxy 127.0.0.1:8080 \{", f"\treverse_proxy {servers} {{"),
    )
    options = f"admin off\n\tskip_install_trust\n\tdefault_bind 127.0.0.1\n\thttp_port {plain}\n\thttps_port {secure}"
    (folder / "Caddyfile").write_text(f"{{\n\t{options}\n}}\n{site}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def haproxy(plain, secure, folder):
    (folder / "both.pem").write_text((work / "cert.pem").read_text() + (work / "key.pem").read_text())
    more = [(r"^    # (server two )", r"    \1")] if len(ports) > 1 else []
    (folder / "haproxy.cfg").write_text(
        example(
            "haproxy.cfg",
            *more,
            (r"bind :80$", f"bind 127.0.0.1:{plain}"),
            (r"bind :443 ", f"bind 127.0.0.1:{secure} "),
            (r"/etc/haproxy/monitor.example.com.pem", f"{folder}/both.pem"),
            (r"127.0.0.1:8080", f"127.0.0.1:{ports[0]}"),
            (r"127.0.0.1:8081", f"127.0.0.1:{ports[-1]}"),
        )
    )
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


@contextlib.contextmanager
def proxy(name):
    folder = work / name
    folder.mkdir()
    plain, secure = free_port(), free_port()
    words = {"nginx": nginx, "caddy": caddy, "haproxy": haproxy}[name](plain, secure, folder)
    home = {variable: str(folder) for variable in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(words, env=os.environ | home, stdout=log, stderr=log, cwd=folder)
    try:
        for _ in range(150):
            with contextlib.suppress(OSError, http.client.HTTPException):
                if ask(secure, "GET", "/readyz").status == 200:
                    break
            if process.poll() is not None:
                sys.exit(f"{name} has ended: {(folder / 'log').read_text()}")
            time.sleep(0.1)
        else:
            sys.exit(f"{name} does not pass requests on within 15 s: {(folder / 'log').read_text()}")
        yield plain, secure
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def logged(answer):
    """What the servers' logs say of the request."""
    request = answer.headers["x-request-id"]
    for _ in range(50):
        for server in servers:
            for line in server.lines("request"):
                if line["request_id"] == request:
                    return line
        time.sleep(0.05)
    return {}


def check_calls(plain, secure):
    direct = ask(ports[0], "GET", "/api/v1/agents", tls=False, Authorization=bearer(key))
    answer = ask(secure, "GET", "/api/v1/agents", Authorization=bearer(key), X_Forwarded_For="203.0.113.9")
    check(
        answer.status == 200 and answer.json()["total"] == direct.json()["total"] == 1,
        f"a call answers {answer.status}",
    )
    check(logged(answer).get("client") == CALLER, f"the server takes {logged(answer).get('client')} for the caller")
    for name in ("content-type", "etag", "vary", "content-security-policy"):
        check(
            answer.headers[name] == direct.headers[name],
            f"{name} is {answer.headers[name]}, not {direct.headers[name]}",
        )
    answer = ask(secure, "GET", "/api/v1/agents", Authorization=bearer("astra_no_key"))
    check(answer.status == 401 and "error" in answer.json(), f"a wrong key answers {answer.status}")
    answer = ask(plain, "GET", "/api/v1/agents?limit=1", tls=False)
    to = answer.headers["location"] or ""
    check(
        answer.status in (301, 308) and to.startswith(f"https://{HOST}") and to.endswith("/api/v1/agents?limit=1"),
        f"plain HTTP answers {answer.status} to {to}",
    )
    status, _, body, version = curl(secure, "/api/v1/agents", "--http2", "-H", f"Authorization: {bearer(key)}")
    check((status, version) == (200, "2"), f"HTTP/2 answers {status} by HTTP/{version} {body[:200]}")


def check_stream(secure):
    connection = Connection(secure)
    began = time.monotonic()
    connection.request("GET", "/api/v1/stream", headers={"Authorization": bearer(key), "Accept": "text/event-stream"})
    answer = connection.getresponse()
    first = answer.readline()
    took = time.monotonic() - began
    check(
        answer.status == 200 and first.startswith(b"retry:") and took < EVENT_WITHIN,
        f"a stream begins with {answer.status} {first} after {took:.1f} s",
    )
    sent = ask(secure, "POST", "/ingest/v1/metrics", metric(), Authorization=bearer(agent))
    check(sent.status == 200 and sent.json()["taken"] == 1, f"a row answers {sent.status} {sent.body[:200]}")
    began = time.monotonic()
    connection.sock.settimeout(EVENT_WITHIN)
    try:
        while not (line := answer.readline()).startswith(b"event: metric"):
            if not line:
                break
        took = time.monotonic() - began
        check(line and took < EVENT_WITHIN, f"an event comes after {took:.1f} s")
    except TimeoutError:
        check(False, f"no event comes within {EVENT_WITHIN} s")
    connection.close()
    return took


def check_bodies(secure):
    large = body_of(4_100_000, 8_000)
    assert 3_900_000 < len(large) <= 4 << 20, len(large)
    headers = {"Authorization": bearer(agent), "Content-Type": "application/json"}
    through = ask(secure, "POST", "/ingest/v1/metrics", large, **headers)
    direct = ask(ports[0], "POST", "/ingest/v1/metrics", large, tls=False, **headers)
    check(
        through.status == 200 and through.json()["taken"] == 8_000, f"4 MB answer {through.status} {through.body[:200]}"
    )
    check(direct.status == 200 and direct.json()["known"] == 8_000, f"the rows are not there: {direct.body[:200]}")
    for megabytes in (5, 7, 12):
        (work / "body").write_bytes(b" " * (megabytes << 20))
        # The agent does not ask first whether it may send either.
        options = [
            "--http1.1",
            "-H",
            "Expect:",
            "-H",
            "Content-Type: application/json",
            "--data-binary",
            f"@{work}/body",
        ]
        options += ["-H", f"Authorization: {bearer(agent)}"]
        through = curl(secure, "/ingest/v1/metrics", *options)
        direct = curl(ports[0], "/ingest/v1/metrics", *options, tls=False)
        check(direct[0] == 413 and "error" in direct[2], f"{megabytes} MiB answer {direct} without the proxy")
        # nginx, which keeps bodies on its disk, has a bound of its own, and words of its own.
        same = through == direct if megabytes < 8 or name != "nginx" else through[0] == 413
        check(same, f"{megabytes} MiB answer {through}")
    # Speed tests are larger, in both directions.
    through = ask(secure, "POST", "/ingest/v1/speedtest/empty", b"x" * (20 << 20), Authorization=bearer(agent))
    check(through.status == 200, f"20 MiB of a speed test answer {through.status} {through.body[:200]}")
    through = ask(secure, "GET", "/ingest/v1/speedtest/garbage?ckSize=20", Authorization=bearer(agent))
    check(
        through.status == 200 and len(through.body) == 20 << 20,
        f"a speed test sends {through.status} {len(through.body)}",
    )


def check_dashboard(secure):
    # A browser that is not signed in is led to the door.
    answer = ask(secure, "GET", "/dashboard", Accept="text/html")
    check(
        answer.status in (302, 303) and "sign-in" in (answer.headers["location"] or ""),
        f"the dashboard answers {answer.status} {answer.headers['location']}",
    )
    person = {"email": "owner@example.com", "password": PASSWORD}
    answer = ask(secure, "POST", "/auth/v1/session", person, Origin=f"https://{HOST}")
    check(answer.status == 201, f"signing in answers {answer.status} {answer.body[:200]}")
    check(logged(answer).get("client") == CALLER, "the server does not know who signs in")
    cookies = answer.headers.get_all("set-cookie") or []
    check(cookies and all("Secure" in cookie for cookie in cookies), f"the cookies are {cookies}")
    cookie = "; ".join(cookie.split(";")[0] for cookie in cookies)
    page = ask(secure, "GET", "/dashboard", Cookie=cookie)
    check(page.status == 200 and b"</html>" in page.body, f"the dashboard answers {page.status}")
    foreign = ask(secure, "POST", "/auth/v1/session", person, Origin="https://elsewhere.example")
    check(foreign.status == 403, f"signing in from elsewhere answers {foreign.status}")
    token = answer.json().get("csrf_token", "") if answer.status == 201 else ""
    out = ask(secure, "DELETE", "/auth/v1/session", Cookie=cookie, Origin=f"https://{HOST}", x_astra_csrf=token)
    check(out.status == 204, f"signing out answers {out.status} {out.body[:200]}")


def check_one_of_two(secure):
    """One of two servers is stopped while requests go on; the other one answers all of them."""
    statuses = []
    for number in range(120):
        if number == 20:
            servers[1].process.terminate()
        try:
            statuses.append(ask(secure, "GET", "/api/v1/usage", Authorization=bearer(key)).status)
        except (OSError, http.client.HTTPException) as error:
            statuses.append(repr(error))
        time.sleep(0.01)
    servers[1].process.wait(20)
    wrong = [status for status in statuses if status != 200]
    check(not wrong, f"{len(wrong)} of {len(statuses)} requests fail while a server stops: {wrong[:3]}")
    servers[1].start()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
trust = ssl.create_default_context(cafile=work / "cert.pem")
name = "set-up"
database, drop_database = make_database()
servers = [Server(number) for number in range(1 if "sqlite" in database["ASTRANETMON_DATABASE_URL"] else 2)]
try:
    for server in servers:
        server.start()
    ports = [server.port for server in servers]
    command("account", "create", "home", "--plan", "enterprise")
    key = command("key", "create", "--account", "home", "--name", "proxies")["key"]
    (work / "password").write_text(PASSWORD + "\n")
    command(
        "user",
        "create",
        "owner@example.com",
        "--account",
        "home",
        "--role",
        "owner",
        "--password-file",
        str(work / "password"),
    )
    token = command("enrolment", "create", "--account", "home", "--name", "box")["token"]
    enrolled = ask(ports[0], "POST", "/ingest/v1/enroll", {"token": token, "facts": {"hostname": "box"}}, tls=False)
    agent = enrolled.json()["agent_token"]
    for name in names:
        began, before = time.monotonic(), checks
        with proxy(name) as (plain, secure):
            check_calls(plain, secure)
            took = check_stream(secure)
            check_bodies(secure)
            check_dashboard(secure)
            if len(servers) > 1:
                check_one_of_two(secure)
        whole = time.monotonic() - began
        print(f"{name}: {checks - before} checks, servers: {len(servers)}, an event after {took:.2f} s, {whole:.0f} s")
finally:
    for server in servers:
        if getattr(server, "process", None) and server.process.poll() is None:
            server.stop()
    drop_database()
if failures:
    for server in servers:
        print("\n".join(server.log.read_text().splitlines()[-5:]), file=sys.stderr)
print(f"{checks - len(failures)} passed, {len(failures)} failed")
sys.exit(1 if failures else 0)
