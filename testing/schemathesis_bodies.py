"""What bodies of agents hold that no schema describes: line protocol, and an enrolment token that is valid."""

import os

import schemathesis
from hypothesis import strategies


@strategies.composite
def lines(draw):
    """Line protocol as Telegraf's inputs send it."""
    number = strategies.floats(0, 100).map(repr) | strategies.integers(0, 2**53 - 1).map("{}i".format)
    field = strategies.sampled_from(
        ["cpu,cpu=cpu-total usage_idle={}", "system load1={}", "mem total={}", "net,interface=eth0 bytes_recv={}"]
    )
    return "\n".join(draw(field).format(draw(number)) for _ in range(draw(strategies.integers(1, 5))))


@schemathesis.hook
def flatmap_body(context, body):
    """Half of the texts for line protocol are some."""
    is_of_lines = context.operation.path.startswith("/ingest/v1/influx")
    return strategies.just(body) | lines() if is_of_lines else strategies.just(body)


@schemathesis.hook
def before_call(context, case, kwargs):
    """A body that fits enrols an agent: no text that fits the schema is an enrolment token."""
    if case.path == "/ingest/v1/enroll" and case.meta.generation.mode.is_positive:
        case.body["token"] = os.environ["ENROLMENT_TOKEN"]
