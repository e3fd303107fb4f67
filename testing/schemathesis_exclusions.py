"""What schemathesis is told to overlook: one check of certain answers each, and why. Nothing else is excluded.

Loaded by schemathesis before it runs; wraps the checks that are named here.
"""

from functools import wraps

import schemathesis
import schemathesis_bodies  # noqa: F401, loaded for what it registers
from schemathesis.checks import CHECKS

ROWS = ["/ingest/v1/metrics", "/ingest/v1/speedtests", "/ingest/v1/traceroutes"]
LINES = ["/ingest/v1/influx/api/v2/write", "/ingest/v1/influx/write"]
MAY_BE_EMPTY = ["/ingest/v1/influx", *LINES, "/ingest/v1/speedtest/empty"]


def is_cursor(response, case):
    signed = {"cursor", "after"} & set(case.query or {}) or "Last-Event-ID" in (case.headers or {})
    return case.meta.generation.mode.is_positive and bool(signed)


def is_selection(response, case):
    return response.status_code == 200 and "fields" in (case.query or {})


@schemathesis.hook
def before_call(context, case, kwargs):
    """A stream goes on without end, for which nobody here waits."""
    if case.path == "/api/v1/stream" and isinstance(case.query, dict):
        case.query.setdefault("seconds", 0)


INTERVALS = {"interval", "points", "agg", "group_by", "fill"}


def is_aggregate(response, case):
    return response.status_code == 200 and bool({"interval", "points"} & set(case.query or {}))


def is_no_interval(response, case):
    return response.status_code == 400 and bool(INTERVALS & set(case.query or {}))


def is_stream(response, case):
    return case.path == "/api/v1/stream" and response.status_code == 200


def is_row_refused(response, case):
    return case.path in ROWS and response.status_code == 200 and response.json()["refused"] > 0


def is_line_refused(response, case):
    return case.path in LINES and response.status_code == 400 and bool(response.json()["refused_lines"])


def is_empty_body(response, case):
    return case.path in MAY_BE_EMPTY and case.meta.phase.data.description == "Missing request body"


def is_no_promql(response, case):
    return case.path.startswith("/prometheus/") and response.status_code in (400, 422)


def is_passed_over(response, case):
    return case.path.startswith("/prometheus/") and response.status_code == 200


EXCLUSIONS = [
    (
        "positive_data_acceptance",
        is_cursor,
        "a cursor is signed by the server: no text that fits the schema is one, and the document can say no more",
    ),
    (
        "response_schema_conformance",
        is_selection,
        "a caller who names fields gets these alone; the document says so in words, which no schema can",
    ),
    (
        "response_schema_conformance",
        is_stream,
        "the document can describe a stream's text as a whole and not its events; a test reads these",
    ),
    (
        "response_schema_conformance",
        is_aggregate,
        "with intervals the rows are MetricAggregates, as the document says in words; a test compares these",
    ),
    (
        "positive_data_acceptance",
        is_no_interval,
        "these go together or exclude each other, and intervals are bounded by the range: no schema can say so",
    ),
    (
        "positive_data_acceptance",
        is_no_promql,
        "queries, times and steps are texts as Prometheus's clients send them; no schema says which mean something",
    ),
    (
        "negative_data_rejection",
        is_passed_over,
        "as in Prometheus, what nobody knows is passed over, and of one name given twice the first counts",
    ),
    (
        "negative_data_rejection",
        is_row_refused,
        "of what agents send a wrong row is refused by itself, in an answer of 200 that names it",
    ),
    (
        "positive_data_acceptance",
        is_line_refused,
        "to a schema all text is line protocol; a line that is none is refused by itself, and the answer names it",
    ),
    (
        "negative_data_rejection",
        is_empty_body,
        "a text of no lines and an upload of no bytes are taken, and no body is the same as an empty one",
    ),
]


def excluding(check, is_overlooked):
    @wraps(check)
    def wrapper(context, response, case):
        return None if is_overlooked(response, case) else check(context, response, case)

    return wrapper


for name, is_overlooked, _reason in EXCLUSIONS:
    check = CHECKS.get_one(name)
    CHECKS.unregister(name)
    schemathesis.check(excluding(check, is_overlooked))
