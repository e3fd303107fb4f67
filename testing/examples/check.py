"""Compares what the examples printed with what the API itself says.

usage: check.py URL FOLDER, the key in DEMO_KEY; FOLDER holds the output of each example.
"""

import json
import os
import re
import sys
from pathlib import Path

import requests

URL, FOLDER = sys.argv[1], Path(sys.argv[2])
HEADERS = {"Authorization": "Bearer " + os.environ["DEMO_KEY"]}
PAGE = 100


def api(path, **params):
    response = requests.get(f"{URL}/api/v1/{path}", headers=HEADERS, params=params, timeout=10)
    response.raise_for_status()
    return response.json()


def printed(name):
    return (FOLDER / f"{name}.out").read_text()


def lines_are_right(name):
    agents = api("agents")
    total = api("metrics", agent_id="agent-123", limit=1)["total"]
    assert agents["total"] == len(agents["agents"]) >= 5, agents["total"]
    assert total > PAGE, total
    lines = printed(name).splitlines()
    # An agent may change its state while the examples run.
    shown = [re.sub(": (online|offline|pending|disabled)$", "", line) for line in lines[:-1]]
    assert shown == [agent["hostname"] for agent in agents["agents"]], lines
    assert all(re.search(": (online|offline|pending|disabled)$", line) for line in lines[:-1]), lines
    assert lines[-1] == f"Retrieved {PAGE} metrics", lines[-1]


def documents_are_right(name):
    text, documents, decoder = printed(name), [], json.JSONDecoder()
    while text.strip():
        document, end = decoder.raw_decode(text.strip())
        documents.append(document)
        text = text.strip()[end:]
    agents, metrics, speedtests = documents
    assert list(agents) == ["agents", "total"] and list(metrics) == ["metrics", "total"], documents
    assert list(speedtests) == ["speedtests", "total"], list(speedtests)
    assert [agent["id"] for agent in agents["agents"]] == [agent["id"] for agent in api("agents")["agents"]]
    assert len(metrics["metrics"]) == PAGE
    assert {metric["agent_id"] for metric in metrics["metrics"]} == {"agent-123"}
    # The demonstration goes on reporting, so totals may have grown since, but not shrunk.
    later = api("metrics", agent_id="agent-123", limit=1)["total"]
    assert later - 10 <= metrics["total"] <= later, (metrics["total"], later)
    later = api("speedtests", start_date="-7d", limit=1)["total"]
    assert 0 < len(speedtests["speedtests"]) == min(speedtests["total"], PAGE)
    assert later - 10 <= speedtests["total"] <= later + 10, (speedtests["total"], later)


def main():
    checks = {
        "quickstart.py": lines_are_right,
        "quickstart.mjs": lines_are_right,
        "quickstart.sh": documents_are_right,
    }
    failed = 0
    for name, check in checks.items():
        try:
            check(name)
            print(f"{name}: ok")
        except Exception as error:  # whatever it is, the example is not right
            failed += 1
            print(f"{name}: FAILED: {type(error).__name__}: {error}\n{printed(name)[:2000]}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
