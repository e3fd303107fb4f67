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
]


def excluding(check, parameter):
    @wraps(check)
    def wrapper(context, response, case):
        if case.meta.generation.mode.is_positive and parameter in (case.query or {}):
            return None
        return check(context, response, case)

    return wrapper


for name, parameter, _reason in EXCLUSIONS:
    check = CHECKS.get_one(name)
    CHECKS.unregister(name)
    schemathesis.check(excluding(check, parameter))
