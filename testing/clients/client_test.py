"""The client that openapi-python-client makes of the document, against a running demonstration.

Called with the server's URL and a key of the Starter and of the Enterprise plan; the client is the package `client`.
"""

import datetime
import sys
import urllib.parse

from client import AuthenticatedClient
from client.api.agents import get_agent, get_overview, list_agents
from client.api.documentation import get_openapi
from client.api.key import get_key, get_usage
from client.api.metrics import list_metrics
from client.api.speedtests import get_speedtest, list_speedtests
from client.api.traceroutes import get_traceroute, list_traceroutes
from client.models import Error, ListMetricsFieldsItem, ListMetricsSort
from client.types import UNSET

url, starter, enterprise = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=enterprise, raise_on_unexpected_status=True)


def cursor_of(answer):
    """What leads to the next page, from the answer's Link header."""
    link = answer.headers.get("link")
    if link is None:
        return None
    assert link.startswith("<") and link.endswith('>; rel="next"'), link
    return urllib.parse.parse_qs(urllib.parse.urlsplit(link[1 : link.index(">")]).query)["cursor"][0]


def walk(operation, rows_of, **arguments):
    """Every row, page by page, and the total that each page tells."""
    rows, cursor = [], UNSET
    while cursor is not None:
        answer = operation.sync_detailed(client=client, cursor=cursor, **arguments)
        assert answer.status_code == 200, answer
        rows += rows_of(answer.parsed)
        cursor = cursor_of(answer)
    assert len(rows) == answer.parsed.total, (len(rows), answer.parsed.total)
    return rows


def agents_are_read_to_the_end():
    agents = walk(list_agents, lambda page: page.agents, limit=2)
    assert len({agent.id for agent in agents}) == len(agents) > 2
    one = get_agent.sync(agents[0].id, client=client)
    assert (one.id, one.hostname) == (agents[0].id, agents[0].hostname)
    assert isinstance(one.created_at, datetime.datetime) and one.created_at.utcoffset() == datetime.timedelta(0)
    assert {row.agent.id for row in get_overview.sync(client=client).overview} == {agent.id for agent in agents}


def metrics_are_read_with_what_is_unknown_in_them():
    since = "-3h"
    rows = walk(list_metrics, lambda page: page.metrics, start_date=since, agent_id=["agent-123"], limit=100)
    assert len(rows) > 100 and all(isinstance(row.timestamp, datetime.datetime) for row in rows)
    assert sorted((row.timestamp for row in rows), reverse=True) == [row.timestamp for row in rows]
    # Nobody measured a rate before the first sample, and not every machine has a sensor.
    everything = walk(list_metrics, lambda page: page.metrics, start_date=since, limit=10_000)
    assert any(row.temperature_celsius is None for row in everything)
    assert any(isinstance(row.cpu_percent, float) for row in everything)
    oldest_first = ListMetricsSort.OLDEST_FIRST
    oldest = list_metrics.sync(client=client, start_date=since, agent_id=["agent-123"], sort=oldest_first, limit=1)
    assert oldest.metrics[0].timestamp == rows[-1].timestamp


def several_fields_are_asked_for():
    # A model is of whole records: of the generated operation the request is taken, and the answer is read as JSON.
    fields = [ListMetricsFieldsItem.AGENT_ID, ListMetricsFieldsItem.CPU_PERCENT]
    request = list_metrics._get_kwargs(fields=fields, limit=1)
    answer = client.get_httpx_client().request(**request)
    assert answer.status_code == 200 and list(answer.json()["metrics"][0]) == ["agent_id", "cpu_percent"], answer.text


def tests_and_traces_are_read():
    speedtests = walk(list_speedtests, lambda page: page.speedtests, start_date="-2d", limit=50)
    assert get_speedtest.sync(speedtests[0].id, client=client).to_dict() == speedtests[0].to_dict()
    traceroutes = walk(list_traceroutes, lambda page: page.traceroutes, start_date="-2d", limit=50, reached=True)
    assert all(trace.reached for trace in traceroutes) and any(trace.hops for trace in traceroutes)
    one = get_traceroute.sync(traceroutes[0].id, client=client)
    assert [hop.ttl for hop in one.hops] == [hop.ttl for hop in traceroutes[0].hops]


def a_key_knows_itself():
    assert get_key.sync(client=client).plan.value == "enterprise"
    usage = get_usage.sync(client=client)
    assert usage.limit is None and len(usage.hours) == 24
    assert get_openapi.sync_detailed(client=client).status_code == 200


def an_unchanged_answer_is_not_sent_again():
    arguments = {"start_date": "2020-01-01", "end_date": "2020-01-02"}
    first = list_metrics.sync_detailed(client=client, **arguments)
    again = list_metrics.sync_detailed(client=client, if_none_match=first.headers["etag"], **arguments)
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def failures_are_read():
    def refused(status, sentence, answer):
        assert answer.status_code == status and isinstance(answer.parsed, Error), answer
        assert sentence in answer.parsed.error, answer.parsed.error

    refused(400, "Invalid start_date", list_metrics.sync_detailed(client=client, start_date="yesterday"))
    refused(404, "Not found", get_agent.sync_detailed("nobody", client=client))
    nobody = AuthenticatedClient(base_url=url, token="astra_wrong")
    refused(401, "Invalid or missing API key", list_agents.sync_detailed(client=nobody))
    small = AuthenticatedClient(base_url=url, token=starter)
    for _ in range(101):
        answer = list_agents.sync_detailed(client=small)
        if answer.status_code != 200:
            break
    refused(429, "Rate limit exceeded", answer)
    assert int(answer.headers["retry-after"]) > 0


for check in [
    agents_are_read_to_the_end,
    metrics_are_read_with_what_is_unknown_in_them,
    several_fields_are_asked_for,
    tests_and_traces_are_read,
    a_key_knows_itself,
    an_unchanged_answer_is_not_sent_again,
    failures_are_read,
]:
    check()
    print("ok", check.__name__.replace("_", " "))
