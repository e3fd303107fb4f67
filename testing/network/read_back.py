"""What the two agents of testing/steps/network reported, as a reader finds it. Usage: read_back.py URL"""

import json
import os
import sys
import urllib.request

url, key = sys.argv[1], os.environ["KEY"]
faults = []


def read(path):
    request = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {key}"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return json.load(answer)


def check(sentence, holds, seen):
    print(("ok      " if holds else "FAILED  ") + sentence)
    if not holds:
        print(f"        seen: {seen}")
        faults.append(sentence)


agents = read("/api/v1/agents")["agents"]
check("both agents are online", [(it["id"], it["status"]) for it in agents] == [("a", "online"), ("b", "online")], agents)

for agent in ("a", "b"):
    rows = read(f"/api/v1/metrics?agent_id={agent}")["metrics"]
    check(f"{agent} has reported itself", len(rows) >= 1 and rows[0]["memory_total_bytes"], rows)
    check(f"{agent} knows its latency to the server", rows and rows[0]["latency_ms"] is not None, rows[:1])

EXPECTED = {
    ("a", "10.203.3.2"): ["10.203.1.1", "10.203.2.2", "10.203.3.2"],
    ("a", "fd03:3::2"): ["fd03:1::1", "fd03:2::2", "fd03:3::2"],
    ("b", "10.203.1.2"): ["10.203.3.1", "10.203.2.1", "10.203.1.2"],
    ("b", "fd03:1::2"): ["fd03:3::1", "fd03:2::1", "fd03:1::2"],
}
traces = read("/api/v1/traceroutes?limit=100")["traceroutes"]
for (agent, destination), hops in EXPECTED.items():
    found = [it for it in traces if (it["agent_id"], it["target"]) == (agent, destination) and it["hop_count"] > 1]
    seen = [hop["ip"] for hop in found[0]["hops"]] if found else traces
    check(f"{agent} reaches {destination} by {' '.join(hops)}", seen == hops and found[0]["reached"], seen)

for test in read("/api/v1/speedtests?agent_id=a")["speedtests"][:1] or [{}]:
    for field, rate in (("download_mbps", float(os.environ["DOWN"])), ("upload_mbps", float(os.environ["UP"]))):
        measured = test.get(field)
        check(f"{field} of a is {rate:g} within 10 %: {measured}", measured and abs(measured - rate) <= rate / 10, test)
    check("a knows the latency of its line under load", test.get("loaded_latency_ms"), test)

sys.exit(1 if faults else 0)
