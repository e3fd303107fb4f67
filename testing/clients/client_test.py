"""The client that openapi-python-client makes of the document, against running services.

What it is run against stands in the environment, as testing/steps/clients sets it; the client is the package `client`.
"""

import datetime
import io
import os
import urllib.parse
import uuid

import httpx
from client import AuthenticatedClient, Client
from client.api.agents import get_agent, get_overview, list_agents
from client.api.documentation import get_docs, get_docs_asset, get_openapi
from client.api.ingest import (
    enroll_agent,
    heartbeat,
    ingest_metrics,
    ingest_speedtests,
    ingest_traceroutes,
    speedtest_address,
    speedtest_download,
    speedtest_ping,
    speedtest_upload,
)
from client.api.key import get_key, get_usage
from client.api.metrics import list_metrics
from client.api.speedtests import get_speedtest, list_speedtests
from client.api.stream import stream_records
from client.api.traceroutes import get_traceroute, list_traceroutes
from client.models import (
    AgentFacts,
    AgentSpool,
    EnrollBody,
    Error,
    GetDocsAssetAsset,
    Heartbeat,
    HopRow,
    ListAgentsInclude,
    ListMetricsAggItem,
    ListMetricsFieldsItem,
    ListMetricsSort,
    ListSpeedtestsStatus,
    Metric,
    MetricAggregate,
    MetricBatch,
    MetricRow,
    Plan,
    SpeedtestBatch,
    SpeedtestRow,
    SpeedtestStatus,
    StreamRecordsKindsItem,
    TracerouteBatch,
    TracerouteProtocol,
    TracerouteRow,
    TracerouteStatus,
)
from client.types import UNSET, File

SECOND = datetime.timedelta(seconds=1)
called = []
spoilt = []


class Observed(httpx.HTTPTransport):
    """Writes calls down, and lets the next request be spoilt on its way."""

    def handle_request(self, request):
        line = f"{request.method} {request.url.path}"
        if spoilt:
            request = spoilt.pop()(request)
        response = super().handle_request(request)
        called.append(f"{line} {response.status_code}\n")
        return response


def spoil(**parts):
    """Has the next request sent with other parts than the generated code gave it."""

    def spoiling(request):
        same = {"method": request.method, "url": request.url, "content": request.read()}
        headers = {**request.headers, **parts.pop("headers", {})}
        if "content" in parts:
            headers.pop("content-length", None)
        return httpx.Request(headers=headers, **{**same, **parts})

    spoilt.append(spoiling)


def with_key(url, key):
    arguments = {"raise_on_unexpected_status": True, "httpx_args": {"transport": Observed()}}
    if key is None:
        return Client(base_url=url, **arguments)
    return AuthenticatedClient(base_url=url, token=key, **arguments)


demo = with_key(os.environ["DEMO_URL"], os.environ["ENTERPRISE_KEY"])
service = with_key(os.environ["SERVICE_URL"], os.environ["SERVICE_KEY"])


def cursor_of(answer):
    """What leads to the next page, from the answer's Link header."""
    link = answer.headers.get("link")
    if link is None:
        return None
    assert link.startswith("<") and link.endswith('>; rel="next"'), link
    return urllib.parse.parse_qs(urllib.parse.urlsplit(link[1 : link.index(">")]).query)["cursor"][0]


def walk(operation, rows_of, **arguments):
    """Every row, page by page; each page tells how many there are in all."""
    rows, cursor = [], UNSET
    while cursor is not None:
        answer = operation.sync_detailed(client=demo, cursor=cursor, **arguments)
        assert answer.status_code == 200, answer
        rows += rows_of(answer.parsed)
        cursor = cursor_of(answer)
    assert len(rows) == answer.parsed.total, (len(rows), answer.parsed.total)
    return rows


def now():
    """In the milliseconds in which times are kept."""
    time = datetime.datetime.now(datetime.timezone.utc)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def span(**length):
    """From so long ago to ten minutes ago, in which nothing comes or goes while pages are read."""
    begin = now() - datetime.timedelta(**length)
    return {"start_date": begin.isoformat(), "end_date": (now() - 600 * SECOND).isoformat()}


def are_newest_first(rows):
    times = [row.timestamp for row in rows]
    assert all(isinstance(time, datetime.datetime) and time.utcoffset() == 0 * SECOND for time in times), times[:3]
    return times == sorted(times, reverse=True)


def agents_are_read_to_the_end():
    agents = walk(list_agents, lambda page: page.agents, limit=2)
    ids = {agent.id for agent in agents}
    assert len(ids) == len(agents) > 2
    assert [agent.hostname for agent in agents] == sorted(agent.hostname for agent in agents)
    one = get_agent.sync(agents[0].id, client=demo)
    assert (one.id, one.hostname, one.created_at) == (agents[0].id, agents[0].hostname, agents[0].created_at)
    assert isinstance(one.created_at, datetime.datetime) and one.created_at.utcoffset() == 0 * SECOND
    assert any(agent.name is None for agent in agents) and any(agent.boot_time is not None for agent in agents)
    assert all(agent.latest is UNSET for agent in agents)
    assert all(agent.latest for agent in list_agents.sync(client=demo, include=ListAgentsInclude.LATEST).agents)
    overview = get_overview.sync(client=demo).overview
    assert {row.agent.id for row in overview} == ids and any(row.metric is not None for row in overview)


def metrics_are_read_to_the_end_unknown_values_among_them():
    three_hours = span(hours=3)
    rows = walk(list_metrics, lambda page: page.metrics, agent_id=["agent-123"], limit=100, **three_hours)
    assert len({row.timestamp for row in rows}) == len(rows) > 100 and are_newest_first(rows)
    oldest_first = ListMetricsSort.OLDEST_FIRST
    oldest = list_metrics.sync(client=demo, agent_id=["agent-123"], sort=oldest_first, limit=1, **three_hours)
    assert oldest.metrics[0].timestamp == rows[-1].timestamp
    # Nobody measured a rate before the first sample, and not every machine has a sensor.
    everything = walk(list_metrics, lambda page: page.metrics, limit=10_000, **three_hours)
    assert len({(row.agent_id, row.timestamp) for row in everything}) == len(everything)
    assert any(row.temperature_celsius is None for row in everything)
    assert Metric.__annotations__["temperature_celsius"] == "float | None"
    assert any(isinstance(row.cpu_percent, float) for row in everything)
    empty = list_metrics.sync(client=demo, start_date="2020-01-01", end_date="2020-01-02T00:00:00+01:00")
    assert (empty.metrics, empty.total) == ([], 0)


def some_fields_and_figures_of_intervals_are_read_as_json():
    # A model is of whole records: of the generated operation the request is taken, and the answer is read as JSON.
    def rows(**arguments):
        answer = demo.get_httpx_client().request(**list_metrics._get_kwargs(limit=1, **arguments))
        assert answer.status_code == 200, answer.text
        return answer.json()["metrics"]

    cpu_percent = ListMetricsFieldsItem.CPU_PERCENT
    assert list(rows(fields=[ListMetricsFieldsItem.AGENT_ID, cpu_percent])[0]) == ["agent_id", "cpu_percent"]
    agg = [ListMetricsAggItem.AVG, ListMetricsAggItem.P95]
    # Of these rows there is a model.
    row = MetricAggregate.from_dict(rows(interval="1h", agg=agg, fields=[cpu_percent], start_date="-3h")[0])
    assert row.interval_seconds == 3600 and set(row.additional_keys) == {"cpu_percent_avg", "cpu_percent_p95"}
    assert all(isinstance(row[name], float) for name in row.additional_keys)


def speed_tests_are_read_to_the_end_and_one():
    arguments = {"limit": 20, **span(days=6)}
    rows = walk(list_speedtests, lambda page: page.speedtests, **arguments)
    assert len({row.id for row in rows}) == len(rows) > 50 and are_newest_first(rows)
    failed = walk(list_speedtests, lambda page: page.speedtests, status=ListSpeedtestsStatus.FAILED, **arguments)
    assert failed and all(row.download_mbps is None for row in failed)
    assert get_speedtest.sync(rows[0].id, client=demo).to_dict() == rows[0].to_dict()


def traceroutes_are_read_to_the_end_and_one():
    arguments = {"limit": 20, "reached": True, **span(days=6)}
    rows = walk(list_traceroutes, lambda page: page.traceroutes, **arguments)
    assert len({row.id for row in rows}) == len(rows) > 50 and are_newest_first(rows)
    hops = [hop for row in rows for hop in row.hops]
    assert all(row.reached is True for row in rows) and any(hop.ip is None for hop in hops)
    assert any(isinstance(hop.rtt_avg_ms, float) for hop in hops)
    assert get_traceroute.sync(rows[0].id, client=demo).to_dict() == rows[0].to_dict()


def a_key_knows_itself():
    key = get_key.sync(client=demo)
    assert (key.plan, len(key.permissions), key.expires_at) == (Plan.ENTERPRISE, 4, None)
    usage = get_usage.sync(client=demo)
    assert usage.limit is None and len(usage.hours) == 24


def the_document_and_its_page_are_read():
    assert "paths" in get_openapi.sync(client=demo).to_dict()
    assert "<title>" in get_docs.sync(client=demo)
    assert get_docs_asset.sync(GetDocsAssetAsset.EXPLORER_CSS, client=demo)


def a_stream_goes_on_where_it_was_left():
    arguments = {"client": demo, "kinds": [StreamRecordsKindsItem.METRICS], "seconds": 0}
    events = stream_records.sync(after="", **arguments)
    last = [line for line in events.splitlines() if line.startswith("id:")][-1].removeprefix("id:").strip()
    assert len(stream_records.sync(last_event_id=last, **arguments)) < len(events)


def enrolled(url, token, hostname, **arguments):
    body = EnrollBody(token=token, facts=AgentFacts(hostname=hostname, cpu_core_count=4), **arguments)
    return enroll_agent.sync_detailed(client=with_key(url, None), body=body)


def agent(hostname):
    answer = enrolled(os.environ["SERVICE_URL"], os.environ["ENROLMENT"], hostname)
    assert (answer.status_code, answer.parsed.agent_id) == (201, hostname), answer
    return with_key(os.environ["SERVICE_URL"], answer.parsed.agent_token)


def agents_are_enrolled():
    global one, other
    one, other = agent("web-1"), agent("web-2")


def a_heartbeat_is_taken():
    facts = AgentFacts(hostname="web-1", os="Debian GNU/Linux")
    spool = AgentSpool(row_count=0, dropped_row_count=0, oldest_timestamp=None)
    answer = heartbeat.sync(client=one, body=Heartbeat(facts=facts, interval_seconds=10, sent_at=now(), spool=spool))
    assert abs(answer.server_time - now()) < 60 * SECOND
    known = get_agent.sync("web-1", client=service)
    assert (known.os, known.interval_seconds, known.os_version) == ("Debian GNU/Linux", 10, None)


def metrics_are_sent_and_read_as_they_were_sent():
    time = now() - 60 * SECOND
    rows = [
        MetricRow(timestamp=time, cpu_percent=12.5),
        MetricRow(timestamp=time + SECOND, memory_used_bytes=4_096, cpu_percent=None),
        MetricRow(timestamp=time + 2 * SECOND, cpu_percent=400.0),
    ]
    answer = ingest_metrics.sync(client=one, body=MetricBatch(metrics=rows))
    assert (answer.taken, answer.known, answer.refused) == (2, 0, 1)
    assert (answer.refused_rows[0].row, answer.refused_rows[0].field) == (2, "cpu_percent")
    again = ingest_metrics.sync(client=one, body=MetricBatch(metrics=rows))
    assert (again.taken, again.known, again.known_rows) == (0, 2, [0, 1])
    stored = list_metrics.sync(client=service, sort=ListMetricsSort.OLDEST_FIRST)
    first, second = stored.metrics
    assert (stored.total, first.agent_id, first.timestamp, first.cpu_percent) == (2, "web-1", time, 12.5)
    assert (second.cpu_percent, second.memory_used_bytes) == (None, 4_096)


def a_speed_test_is_sent_and_read_as_it_was_sent():
    time, id = now(), uuid.UUID("019ab123-4567-7abc-8def-0123456789ab")
    row = SpeedtestRow(id=id, timestamp=time, status=SpeedtestStatus.COMPLETED, download_mbps=94.2)
    answer = ingest_speedtests.sync(client=one, body=SpeedtestBatch(speedtests=[row]))
    assert (answer.taken, answer.refused) == (1, 0)
    stored = get_speedtest.sync(id, client=service)
    assert (stored.timestamp, stored.download_mbps, stored.upload_mbps) == (time, 94.2, None)
    assert stored.status is SpeedtestStatus.COMPLETED


def a_traceroute_is_sent_and_read_as_it_was_sent():
    id = uuid.UUID("019ab123-4567-7abc-8def-0123456789ac")
    row = TracerouteRow(
        id=id,
        timestamp=now(),
        target="example.com",
        protocol=TracerouteProtocol.ICMP,
        status=TracerouteStatus.INCOMPLETE,
        hops=[
            HopRow(ttl=1, sent_count=3, received_count=3, ip="192.0.2.1", rtt_avg_ms=0.5),
            HopRow(ttl=2, sent_count=3, received_count=0),
        ],
    )
    answer = ingest_traceroutes.sync(client=one, body=TracerouteBatch(traceroutes=[row]))
    assert (answer.taken, answer.refused) == (1, 0)
    stored = get_traceroute.sync(id, client=service)
    assert (stored.hop_count, stored.reached, stored.rtt_ms) == (2, False, None)
    assert [hop.ip for hop in stored.hops] == ["192.0.2.1", None]


def an_agent_that_has_sent_nothing_has_nothing():
    rows = {row.agent.id: row for row in get_overview.sync(client=service).overview}
    assert (rows["web-2"].metric, rows["web-2"].speedtest, rows["web-2"].traceroute) == (None, None, None)
    assert None not in (rows["web-1"].metric, rows["web-1"].speedtest, rows["web-1"].traceroute)
    agents = list_agents.sync(client=service, include=ListAgentsInclude.LATEST).agents
    assert [agent.latest.traceroute is None for agent in agents] == [False, True]


def the_speed_of_the_line_is_measured():
    assert speedtest_address.sync(client=one).processed_string == "127.0.0.1"
    assert speedtest_ping.sync_detailed(client=one).status_code == 200
    body = File(payload=io.BytesIO(bytes(100_000)))
    assert speedtest_upload.sync_detailed(client=one, body=body).status_code == 200
    assert len(speedtest_download.sync(client=one, ck_size=1).payload.read()) == 1024 * 1024
    # The first keeps its seat for a while, and there is one.
    answer = speedtest_download.sync_detailed(client=other, ck_size=1)
    refused(503, "Other agents are measuring their speed", answer)
    assert int(answer.headers["retry-after"]) > 0


def unchanged_answers_are_not_sent_again():
    # Nothing changes here by itself.
    speedtest = list_speedtests.sync(client=service).speedtests[0].id
    traceroute = list_traceroutes.sync(client=service).traceroutes[0].id
    for operation, *arguments in [
        (list_agents,),
        (get_agent, "web-1"),
        (get_overview,),
        (list_metrics,),
        (list_speedtests,),
        (get_speedtest, speedtest),
        (list_traceroutes,),
        (get_traceroute, traceroute),
    ]:
        tag = operation.sync_detailed(*arguments, client=service).headers["etag"]
        again = operation.sync_detailed(*arguments, client=service, if_none_match=tag)
        assert (again.status_code, again.content) == (304, b""), operation


def refused(status, sentence, answer):
    assert answer.status_code == status and isinstance(answer.parsed, Error), answer
    assert answer.parsed.error.startswith(sentence), answer.parsed.error


def failures_of_reading_are_typed():
    refused(400, "Invalid start_date", list_metrics.sync_detailed(client=service, start_date="yesterday"))
    refused(404, "Not found", get_agent.sync_detailed("nobody", client=service))
    refused(414, "Request target too long", list_metrics.sync_detailed(client=service, cursor="x" * 9_000))
    limited = with_key(os.environ["SERVICE_URL"], os.environ["AGENTS_KEY"])
    refused(403, "Insufficient permissions: requires read:metrics", list_metrics.sync_detailed(client=limited))
    stranger = with_key(os.environ["SERVICE_URL"], "astra_wrong")
    answer = list_agents.sync_detailed(client=stranger)
    refused(401, "Invalid or missing API key", answer)
    assert "www-authenticate" in answer.headers

    spoil(method="DELETE")
    answer = list_agents.sync_detailed(client=service)
    refused(405, "Method not allowed", answer)
    assert answer.headers["allow"] == "GET, HEAD"
    spoil(content=bytes(100_000))
    refused(413, "Request body too large", list_agents.sync_detailed(client=service))
    spoil(headers={"content-encoding": "gzip"})
    refused(415, "Unsupported media type", list_agents.sync_detailed(client=service))


def failures_of_sending_are_typed():
    url, token = os.environ["SERVICE_URL"], os.environ["ENROLMENT"]
    refused(409, "This agent exists already", enrolled(url, token, "web-3", agent_id="web-1"))

    def metrics(rows=1):
        return ingest_metrics.sync_detailed(client=one, body=MetricBatch(metrics=[MetricRow(timestamp=now())] * rows))

    refused(413, "Request body too large", metrics(10_001))
    spoil(content=b"{")
    refused(400, "Invalid body", metrics())
    spoil(headers={"content-type": "text/csv"})
    refused(415, "Unsupported media type", metrics())
    spoil(method="PUT")
    answer = metrics()
    refused(405, "Method not allowed", answer)
    assert answer.headers["allow"] == "POST"
    # The demonstration offers no speed tests.
    answer = enrolled(os.environ["DEMO_URL"], os.environ["DEMO_ENROLMENT"], "python")
    agent = with_key(os.environ["DEMO_URL"], answer.parsed.agent_token)
    refused(404, "Not found", speedtest_download.sync_detailed(client=agent, ck_size=1))


def who_asks_too_often_reads_when_to_ask_again():
    small = with_key(os.environ["DEMO_URL"], os.environ["STARTER_KEY"])
    for _ in range(101):
        answer = list_speedtests.sync_detailed(client=small, limit=1)
        if answer.status_code != 200:
            break
    refused(429, "Rate limit exceeded", answer)
    assert int(answer.headers["retry-after"]) > 0

    stranger = with_key(os.environ["SERVICE_URL"], "astra_agent_wrong")
    body = Heartbeat(facts=AgentFacts(hostname="web-4"))
    refused(401, "Invalid or missing agent token", heartbeat.sync_detailed(client=stranger, body=body))
    for _ in range(101):
        answer = heartbeat.sync_detailed(client=stranger, body=body)
        if answer.status_code != 401:
            break
    refused(429, "Too many", answer)
    assert int(answer.headers["retry-after"]) > 0


for check in [
    agents_are_read_to_the_end,
    metrics_are_read_to_the_end_unknown_values_among_them,
    some_fields_and_figures_of_intervals_are_read_as_json,
    speed_tests_are_read_to_the_end_and_one,
    traceroutes_are_read_to_the_end_and_one,
    a_key_knows_itself,
    the_document_and_its_page_are_read,
    a_stream_goes_on_where_it_was_left,
    agents_are_enrolled,
    a_heartbeat_is_taken,
    metrics_are_sent_and_read_as_they_were_sent,
    a_speed_test_is_sent_and_read_as_it_was_sent,
    a_traceroute_is_sent_and_read_as_it_was_sent,
    an_agent_that_has_sent_nothing_has_nothing,
    the_speed_of_the_line_is_measured,
    unchanged_answers_are_not_sent_again,
    failures_of_reading_are_typed,
    failures_of_sending_are_typed,
    # What is refused at last makes this address suspect for a while.
    who_asks_too_often_reads_when_to_ask_again,
]:
    check()
    print("ok", check.__name__.replace("_", " "))
with open(os.environ["CALLED"], "w") as file:
    file.writelines(called)
