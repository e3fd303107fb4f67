"""Asks a service and a Prometheus that has the same samples the same queries.

compare.py URL KEY PROGRAMS FOLDER: the service and a key of it, where prometheus and promtool are, and a folder to
write to.
"""

import datetime
import http.server
import json
import math
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

service, key, programs, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])

# Samples lie within these hours before the last whole one.
HOURS = 12
CPU, SENT = "astranetmon_cpu_percent", "astranetmon_network_transmit_bytes_total"
QUERIES = [
    "42",
    "time() - 7",
    "vector(1) / 3",
    f"{CPU}",
    f'{CPU}{{agent_id=~".*[13579]"}}',
    f'{CPU}{{agent_id!~".*[13579]"}} offset 17m',
    f'{{__name__=~"astranetmon_load_.*",agent_id!=""}}',
    f"sum({CPU})",
    f"avg by (agent_id) ({{__name__=~'astranetmon_load_.*'}})",
    f"max without (agent_id) ({CPU})",
    f"min({CPU})",
    f"count({CPU})",
    f"stddev({CPU})",
    f"stdvar({CPU})",
    f"quantile(0.9, {CPU})",
    f"topk(3, {CPU})",
    f"bottomk(2, {CPU})",
    f'count_values("load", round({CPU}, 20))',
    f"group({CPU})",
    f"rate({SENT}[5m])",
    f"rate({SENT}[1h])",
    f"irate({SENT}[10m])",
    f"increase({SENT}[30m])",
    f"sum(rate({SENT}[15m])) * 8",
    f"delta(astranetmon_temperature_celsius[1h])",
    f"idelta({CPU}[10m])",
    f"deriv(astranetmon_disk_used_bytes[1h])",
    f"predict_linear(astranetmon_disk_used_bytes[2h], 86400)",
    f"resets(astranetmon_uptime_seconds[6h])",
    f"changes({CPU}[1h])",
    f"avg_over_time({CPU}[1h])",
    f"min_over_time({CPU}[1h])",
    f"max_over_time({CPU}[1h])",
    f"sum_over_time({CPU}[37m])",
    f"count_over_time({CPU}[1h])",
    f"stddev_over_time({CPU}[1h])",
    f"quantile_over_time(0.95, {CPU}[1h])",
    f"last_over_time({CPU}[1h])",
    f"present_over_time({CPU}[1h])",
    f"max_over_time(rate({SENT}[5m])[1h:3m])",
    f"avg_over_time(sum({CPU})[30m:])",
    f"{CPU} @ end()",
    f"avg_over_time({CPU}[10m] @ start() offset 5m)",
    f"astranetmon_memory_used_bytes / astranetmon_memory_total_bytes * 100",
    f"astranetmon_memory_used_bytes / on (agent_id) group_left () astranetmon_memory_total_bytes",
    f"100 - {CPU}",
    f"-{CPU} % 7",
    f"{CPU} ^ 2 > 100",
    f"{CPU} >= bool 20",
    f"20 < {CPU}",
    f"{CPU} > 10 and on (agent_id) astranetmon_memory_percent > 30",
    f"{CPU} unless {CPU} > 15",
    f"{CPU} > 30 or astranetmon_memory_percent",
    f"absent({CPU}{{agent_id='nobody'}})",
    f"absent({CPU})",
    f"absent_over_time({CPU}{{agent_id='nobody'}}[10m])",
    f"scalar(sum({CPU})) + 1",
    f"timestamp({CPU})",
    f"clamp({CPU}, 5, 20)",
    f"round({CPU}, 0.25)",
    f"floor({CPU}) + ceil({CPU})",
    f"sqrt(abs({CPU} - 50))",
    f"ln({CPU} + 1) + log2({CPU} + 1) + log10({CPU} + 1)",
    f"hour() * 60 + minute()",
    f"day_of_week(timestamp({CPU}))",
    f'label_replace({CPU}, "digit", "$1", "agent_id", ".*([0-9])")',
    f'label_join({CPU}, "both", "/", "agent_id", "__name__")',
    f"sort_desc({CPU})",
    f"({CPU} > 30 or astranetmon_memory_percent) * 2",
    f"abs({CPU} > 30 or astranetmon_memory_percent)",
    f"{CPU}{{agent_id='nobody'}} + on (site) astranetmon_memory_percent",
    f"{CPU} == on (site) max by (site) ({CPU})",
    f"{CPU} * on (agent_id) group_left (__name__) astranetmon_memory_percent",
    f"{CPU} > bool on (agent_id) group_left () astranetmon_memory_percent",
    f'{{agent_id=~"agent-\\\\d+", __name__="{CPU}"}}',
    f"{{agent_id=~`agent-\\d+`, __name__=`{CPU}`}}",
    f"vector(1) / 3e7 + {CPU} * 0",
    # What neither of them answers.
    f"{CPU} + on (site) astranetmon_memory_percent",
    f'{CPU}{{agent_id=~"a)|(?:.*"}}',
    f"{{__name__=~'astranetmon_load_.*'}} * 2",
    f"sum({CPU}",
    f"rate({CPU})",
]


def fetched(url, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def of_service(path, **query):
    pairs = urllib.parse.urlencode(query, doseq=True)
    return fetched(f"{service}{path}?{pairs}", {"Authorization": f"Bearer {key}"})


def samples(start, end):
    """The service's agents and what they measured, oldest first."""
    agents = json.loads(of_service("/api/v1/agents")[1])["agents"]
    cursor, rows = None, []
    while True:
        page = {"start_date": start, "end_date": end, "limit": 10_000, "sort": "oldest_first", "format": "ndjson"}
        status, body = of_service("/api/v1/metrics", **page, **({"cursor": cursor} if cursor else {}))
        assert status == 200, body
        *lines, trailer = body.splitlines()
        rows += map(json.loads, lines)
        cursor = json.loads(trailer)["next_cursor"]
        if cursor is None:
            return agents, rows


def open_metrics(agents, rows):
    labels = {agent["id"]: {**agent["labels"], "agent_id": agent["id"]} for agent in agents}
    pair = lambda name, value: f"{name}={json.dumps(value)}"
    text = {id: ",".join(pair(*item) for item in sorted(of_agent.items())) for id, of_agent in labels.items()}
    fields = [name for name in rows[0] if name not in ("agent_id", "timestamp")]
    for row in rows:
        row["time"] = parsed_time(row["timestamp"])
    for field in fields:
        yield f"# TYPE astranetmon_{field} unknown\n"
        for row in rows:
            if row[field] is not None:
                yield f"astranetmon_{field}{{{text[row['agent_id']]}}} {row[field]!r} {row['time']:.3f}\n"
    yield "# EOF\n"


def parsed_time(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def start_prometheus():
    """A Prometheus on loopback that scrapes nothing, and its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "prometheus.yml").write_text("")
    process = subprocess.Popen(
        [
            programs / "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'blocks'}",
            "--storage.tsdb.retention.time=10y",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=(folder / "prometheus.log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    for _ in range(300):
        try:
            if fetched(f"http://127.0.0.1:{port}/-/ready")[0] == 200:
                return process, f"http://127.0.0.1:{port}"
        except OSError:
            pass
        time.sleep(0.1)
    process.kill()
    sys.exit("Prometheus does not get ready:\n" + (folder / "prometheus.log").read_text()[-2_000:])


def values_of(status, body, ordered):
    """An answer as something to compare: what kind it is, and values by labels or in their order."""
    answer = json.loads(body)
    if answer["status"] != "success":
        return answer["errorType"], None
    data = answer["data"]
    if data["resultType"] in ("scalar", "string"):
        return data["resultType"], {"": [data["result"]]}
    values = lambda series: series.get("values") or [series["value"]]
    series = [(json.dumps(series["metric"], sort_keys=True), values(series)) for series in data["result"]]
    # What is ordered is compared place by place.
    named = (f"{place} {labels}" if ordered else labels for place, (labels, _) in enumerate(series))
    return data["resultType"], dict(zip(named, (values for _, values in series)))


def same_number(one, other):
    one, other = float(one), float(other)
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def difference(ours, theirs):
    if ours[0] != theirs[0]:
        return f"{ours[0]} instead of {theirs[0]}"
    if ours[1] is None:
        return None
    if ours[1].keys() != theirs[1].keys():
        return f"other series: {sorted(ours[1].keys() ^ theirs[1].keys())[:4]}"
    for labels, values in ours[1].items():
        others = theirs[1][labels]
        if [time for time, _ in values] != [time for time, _ in others]:
            return f"{labels}: {len(values)} values instead of {len(others)}, or other times"
        for (moment, one), (_, other) in zip(values, others):
            if not same_number(one, other):
                return f"{labels} at {moment}: {one} instead of {other}"
    return None


class WithKey(http.server.BaseHTTPRequestHandler):
    """promtool of before 2.45 sends no credentials: what comes here goes on with the key."""

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        headers = {"Authorization": f"Bearer {key}", "Content-Type": self.headers.get("Content-Type") or ""}
        request = urllib.request.Request(f"{service}/prometheus{self.path}", body, headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


def compare_queries(prometheus, start, end):
    failures, compared = [], 0
    # Between samples' times and not on them: the older Prometheus counts a window's older end to it.
    moments = [{"time": end - offset + 0.457} for offset in (60, 3_723, 7_200, 10_800)]
    ranges = [
        {"start": end - 7_200 + 0.457, "end": end - 60, "step": 60},
        {"start": end - 36_000 + 0.457, "end": end - 60, "step": 1_800},
    ]
    for query in QUERIES:
        for path, asked in [("query", one) for one in moments] + [("query_range", one) for one in ranges]:
            pairs = urllib.parse.urlencode({"query": query, **asked})
            ordered = path == "query" and query.startswith(("sort", "topk", "bottomk"))
            ours = values_of(*of_service(f"/prometheus/api/v1/{path}", query=query, **asked), ordered)
            theirs = values_of(*fetched(f"{prometheus}/api/v1/{path}?{pairs}"), ordered)
            compared += 1
            if found := difference(ours, theirs):
                failures.append(f"{query} ({path} {asked}): {found}")
    return failures, compared


def compare_promtool(prometheus, end):
    relay = http.server.ThreadingHTTPServer(("127.0.0.1", 0), WithKey)
    threading.Thread(target=relay.serve_forever, daemon=True).start()
    ours = f"http://127.0.0.1:{relay.server_port}"
    span = [f"--start={end - 3_600}", f"--end={end - 60}"]
    failures = []
    for before, behind in [
        (["instant", f"--time={end - 59.543:.3f}"], [f"avg by (agent_id) (rate({SENT}[5m]))"]),
        (["range", *span, "--step=5m"], [f"sum(astranetmon_process_count)"]),
        (["series", f"--match={CPU}", *span], []),
        (["labels", *span], ["agent_id"]),
        (["labels", *span], ["__name__"]),
    ]:
        printed = []
        for server in (ours, prometheus):
            command = [programs / "promtool", "query", *before, server, *behind]
            done = subprocess.run(command, capture_output=True, text=True)
            printed.append((done.returncode, sorted(done.stdout.splitlines()), done.stderr))
        if printed[0][0] != 0 or not printed[0][1] or not same_lines(printed[0][1], printed[1][1]):
            failures.append(f"promtool query {before} {behind}:\n  {printed[0]}\ninstead of\n  {printed[1]}")
    relay.shutdown()
    return failures


def same_lines(ours, theirs):
    """Lines with numbers may differ in the last digits of these."""

    def same_word(one, other):
        try:
            return one == other or same_number(one, other)
        except ValueError:
            return False

    pairs = [(one.split(), other.split()) for one, other in zip(ours, theirs)]
    return len(ours) == len(theirs) and all(
        len(one) == len(other) and all(map(same_word, one, other)) for one, other in pairs
    )


def main():
    end = int(time.time()) // 3_600 * 3_600
    start = end - HOURS * 3_600
    moment = lambda seconds: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    agents, rows = samples(moment(start), moment(end))
    assert len(agents) > 3 and len(rows) > 1_000, (len(agents), len(rows))
    (folder / "samples").write_text("".join(open_metrics(agents, rows)))
    command = [programs / "promtool", "tsdb", "create-blocks-from", "openmetrics", folder / "samples", folder / "blocks"]
    subprocess.run(command, check=True, capture_output=True)
    process, prometheus = start_prometheus()
    try:
        failures, compared = compare_queries(prometheus, start, end)
        failures += compare_promtool(prometheus, end)
    finally:
        process.kill()
        process.wait()
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{compared} answers over {len(rows)} rows of {len(agents)} agents compared with Prometheus's, {len(failures)} differ")
    sys.exit(1 if failures else 0)


main()
