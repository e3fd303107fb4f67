"""What schemathesis is told to overlook: one check for one parameter each, and why. Nothing else is excluded.

Loaded by schemathesis before it runs; wraps the checks that are named here.
"""

from functools import wraps

import schemathesis
from schemathesis.checks import CHECKS

EXCLUSIONS = [
    (
        "positive_data_acceptance",
        "cursor",
        "a cursor is signed by the server: no text that fits the schema is one, and the document can say no more",
    ),
    (
        "response_schema_conformance",
        "fields",
        "the schema requires every field of a record, which is what callers of the whole record build on; an answer with "
        "fewer, by choice, has no schema of its own",
    ),
]


def excluding(check, parameter):
    @wraps(check)
    def wrapper(context, response, case):
        # Whether data is accepted is a question of data that is meant to be.
        in_question = check.__name__ != "positive_data_acceptance" or case.meta.generation.mode.is_positive
        if in_question and parameter in (case.query or {}):
            return None
        return check(context, response, case)

    return wrapper


for name, parameter, _reason in EXCLUSIONS:
    check = CHECKS.get_one(name)
    CHECKS.unregister(name)
    schemathesis.check(excluding(check, parameter))
