// The client that openapi-typescript and openapi-fetch make of the document, against a running demonstration.
// Called with the server's URL, a key whose limit is used up, and one of the Enterprise plan; the types are in ./api.

import createClient from "openapi-fetch";
import assert from "node:assert/strict";
import type { components, paths } from "./api.js";

type Metric = components["schemas"]["Metric"];

const [url, spent, enterprise] = process.argv.slice(2);
assert(url && spent && enterprise);
// Of the forms that a list has, this client reads JSON.
const with_key = (key: string) =>
  createClient<paths, "application/json">({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });
const client = with_key(enterprise);

/** What leads to the next page, from the answer's Link header. */
function cursor_of(response: Response): string | undefined {
  const link = response.headers.get("link");
  if (link === null) return undefined;
  const target = /^<(.*)>; rel="next"$/.exec(link)?.[1];
  assert(target, link);
  return new URL(target, url).searchParams.get("cursor") ?? undefined;
}

const checks: Record<string, () => Promise<void>> = {
  async "metrics are read to the end"() {
    const rows: Metric[] = [];
    let cursor: string | undefined;
    do {
      const { data, error, response } = await client.GET("/api/v1/metrics", {
        params: { query: { agent_id: ["agent-123"], start_date: "-3h", limit: 100, cursor } },
      });
      assert(data, JSON.stringify(error));
      rows.push(...data.metrics);
      cursor = cursor_of(response);
      if (cursor === undefined) assert.equal(rows.length, data.total);
    } while (cursor !== undefined);
    assert(rows.length > 100);
    // A number or unknown, and never anything else.
    const loads: (number | null)[] = rows.map((row) => row.load_1);
    assert(loads.some((load) => load !== null));
    assert(rows.every((row) => !Number.isNaN(Date.parse(row.timestamp))));
  },

  async "lists of names are sent as this client sends them"() {
    const { data, error } = await client.GET("/api/v1/metrics", {
      params: { query: { fields: ["agent_id", "cpu_percent"], agent_id: ["agent-123", "this-machine"], limit: 1 } },
    });
    assert(data, JSON.stringify(error));
    assert.deepEqual(Object.keys(data.metrics[0] ?? {}), ["agent_id", "cpu_percent"]);
    const averages = await client.GET("/api/v1/metrics", {
      params: { query: { interval: "1h", agg: ["avg", "max"], fields: ["cpu_percent"], start_date: "-3h", limit: 1 } },
    });
    assert(averages.data, JSON.stringify(averages.error));
    const row = averages.data.metrics[0] as unknown as components["schemas"]["MetricAggregate"];
    assert.equal(row.interval_seconds, 3600);
    assert("cpu_percent_avg" in row && "cpu_percent_max" in row);
  },

  async "every other operation is called"() {
    const agents = await client.GET("/api/v1/agents", { params: { query: { limit: 1 } } });
    const id = agents.data?.agents[0]?.id;
    assert(id);
    const agent = await client.GET("/api/v1/agents/{id}", { params: { path: { id } } });
    assert.equal(agent.data?.id, id);
    const speedtests = await client.GET("/api/v1/speedtests", { params: { query: { limit: 1, status: "completed" } } });
    const speedtest = speedtests.data?.speedtests[0];
    assert(speedtest);
    const same = await client.GET("/api/v1/speedtests/{id}", { params: { path: { id: speedtest.id } } });
    assert.deepEqual(same.data, speedtest);
    const traceroutes = await client.GET("/api/v1/traceroutes", { params: { query: { limit: 1, sort: "oldest_first" } } });
    const traceroute = traceroutes.data?.traceroutes[0];
    assert(traceroute && traceroute.hops.length === traceroute.hop_count);
    const trace = await client.GET("/api/v1/traceroutes/{id}", { params: { path: { id: traceroute.id } } });
    assert.equal(trace.data?.id, traceroute.id);
    assert((await client.GET("/api/v1/overview")).data?.overview.length);
    assert.equal((await client.GET("/api/v1/key")).data?.plan, "enterprise");
    assert.equal((await client.GET("/api/v1/usage")).data?.hours.length, 24);
    assert.equal((await client.GET("/api/v1/openapi.json")).response.status, 200);
    assert.equal((await client.GET("/api/v1/docs", { parseAs: "text" })).response.status, 200);
    const stream = await client.GET("/api/v1/stream", { params: { query: { seconds: 0 } }, parseAs: "text" });
    assert.equal(stream.response.status, 200);
  },

  async "failures are typed"() {
    const wrong = await client.GET("/api/v1/metrics", { params: { query: { start_date: "yesterday" } } });
    assert.equal(wrong.response.status, 400);
    assert.match(wrong.error?.error ?? "", /^Invalid start_date/);
    const missing = await client.GET("/api/v1/agents/{id}", { params: { path: { id: "nobody" } } });
    assert.deepEqual([missing.response.status, missing.error?.error], [404, "Not found"]);
    assert.equal((await with_key("astra_wrong").GET("/api/v1/agents")).response.status, 401);
    const limited = await with_key(spent).GET("/api/v1/speedtests");
    assert.equal(limited.response.status, 429);
    assert(Number(limited.response.headers.get("retry-after")) > 0);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log("ok", name);
}
