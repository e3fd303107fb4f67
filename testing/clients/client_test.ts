// The client that openapi-typescript and openapi-fetch make of the document, against running services.
// What it is run against stands in the environment, as testing/steps/clients sets it; the types are in ./api.

import createClient, { type Middleware } from "openapi-fetch";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];

/** Refused by the compiler unless the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : never;
const types: [
  Same<Schemas["Metric"]["temperature_celsius"], number | null>,
  Same<Schemas["Metric"]["timestamp"], string>,
  Same<Schemas["OverviewRow"]["metric"], Schemas["Metric"] | null>,
  Same<Schemas["Agent"]["latest"], Schemas["Latest"] | undefined>,
  Same<Schemas["MetricRow"]["cpu_percent"], number | null | undefined>,
  Same<Schemas["SpeedtestRow"]["status"], "completed" | "failed">,
] = [true, true, true, true, true, true];

function variable(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

const SECOND = 1000;
const called: string[] = [];
/** With which method the next request is sent instead of its own. */
let other_method: string | undefined;
/** Of requests that were sent so, what they should have been. */
const methods = new WeakMap<Request, string>();

const observed: Middleware = {
  onRequest({ request }) {
    if (other_method === undefined) return undefined;
    const spoilt = new Request(request.url, { method: other_method, headers: request.headers });
    other_method = undefined;
    methods.set(spoilt, request.method);
    return spoilt;
  },
  onResponse({ schemaPath, request, response }) {
    called.push(`${methods.get(request) ?? request.method} ${schemaPath} ${response.status}\n`);
  },
};

function with_key(url: string, key?: string) {
  const headers: Record<string, string> = key === undefined ? {} : { Authorization: `Bearer ${key}` };
  // Of the forms that a list has, this client reads JSON.
  const client = createClient<paths, "application/json">({ baseUrl: url, headers });
  client.use(observed);
  return client;
}
type ApiClient = ReturnType<typeof with_key>;

const demo = with_key(variable("DEMO_URL"), variable("ENTERPRISE_KEY"));
const service = with_key(variable("SERVICE_URL"), variable("SERVICE_KEY"));

/** What came, or the failure as an assertion. */
function data_of<T>(answer: { data?: T; error?: unknown; response: Response }): T {
  assert(answer.data !== undefined, `${answer.response.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
}

/** What leads to the next page, from the answer's Link header. */
function cursor_of(response: Response): string | undefined {
  const link = response.headers.get("link");
  if (link === null) return undefined;
  const target = /^<(.*)>; rel="next"$/.exec(link)?.[1];
  assert(target, link);
  return new URL(target, variable("DEMO_URL")).searchParams.get("cursor") ?? undefined;
}

/** Every row, page by page; each page tells how many there are in all. */
async function walk<Page extends { total: number }, Row>(
  read: (cursor?: string) => Promise<{ data?: Page; error?: unknown; response: Response }>,
  rows_of: (page: Page) => Row[],
): Promise<Row[]> {
  const rows: Row[] = [];
  let cursor: string | undefined;
  do {
    const answer = await read(cursor);
    const page = data_of(answer);
    rows.push(...rows_of(page));
    cursor = cursor_of(answer.response);
    if (cursor === undefined) assert.equal(rows.length, page.total);
  } while (cursor !== undefined);
  return rows;
}

/** From so long ago to ten minutes ago, in which nothing comes or goes while pages are read. */
function span(hours: number) {
  const ago = (minutes: number) => new Date(Date.now() - minutes * 60 * SECOND).toISOString();
  return { start_date: ago(60 * hours), end_date: ago(10) };
}

function are_newest_first(rows: { timestamp: string }[]): boolean {
  const times = rows.map((row) => Date.parse(row.timestamp));
  assert(times.every((time) => !Number.isNaN(time)));
  return times.every((time, index) => index === 0 || time <= (times[index - 1] ?? 0));
}

const distinct = (values: string[]) => new Set(values).size;

/** The answer, if it fails as it should. */
function refused(
  status: number,
  sentence: string,
  answer: { error?: Schemas["Error"] | Schemas["InfluxRefusal"]; response: Response },
): Response {
  assert.equal(answer.response.status, status);
  assert(answer.error?.error.startsWith(sentence), answer.error?.error);
  return answer.response;
}

async function agent_of(url: string, token: string, hostname: string): Promise<ApiClient> {
  const body = { token, facts: { hostname, cpu_core_count: 4 } };
  const answer = await with_key(url).POST("/ingest/v1/enroll", { body });
  const enrolled = data_of(answer);
  assert.deepEqual([answer.response.status, enrolled.agent_id], [201, hostname]);
  return with_key(url, enrolled.agent_token);
}

let one: ApiClient;
let other: ApiClient;

const checks: Record<string, () => Promise<void>> = {
  async "agents are read to the end"() {
    const read = (cursor?: string) => demo.GET("/api/v1/agents", { params: { query: { limit: 2, cursor } } });
    const agents = await walk(read, (page) => page.agents);
    const ids = agents.map((agent) => agent.id).sort();
    assert(distinct(ids) === ids.length && ids.length > 2);
    const hostnames = agents.map((agent) => agent.hostname);
    assert.deepEqual(hostnames, [...hostnames].sort());
    const id = ids[0] ?? "";
    assert.equal(data_of(await demo.GET("/api/v1/agents/{id}", { params: { path: { id } } })).id, id);
    const times: (string | null)[] = agents.map((agent) => agent.boot_time);
    assert(times.some((time) => time !== null) && agents.some((agent) => agent.name === null));
    const latest = data_of(await demo.GET("/api/v1/agents", { params: { query: { include: "latest" } } }));
    assert(latest.agents.every((agent) => agent.latest) && agents.every((agent) => agent.latest === undefined));
    const overview = data_of(await demo.GET("/api/v1/overview")).overview;
    assert.deepEqual(overview.map((row) => row.agent.id).sort(), ids);
    assert(overview.some((row) => row.metric !== null));
  },

  async "metrics are read to the end, unknown values among them"() {
    const query = { agent_id: ["agent-123"], limit: 100, ...span(3) };
    const read = (cursor?: string) => demo.GET("/api/v1/metrics", { params: { query: { ...query, cursor } } });
    const rows = await walk(read, (page) => page.metrics);
    assert(rows.length > 100 && distinct(rows.map((row) => row.timestamp)) === rows.length && are_newest_first(rows));
    const oldest = { params: { query: { ...query, sort: "oldest_first" as const, limit: 1 } } };
    const last = data_of(await demo.GET("/api/v1/metrics", oldest)).metrics[0];
    assert.deepEqual(last, rows[rows.length - 1]);
    const all = (cursor?: string) =>
      demo.GET("/api/v1/metrics", { params: { query: { limit: 10_000, ...span(3), cursor } } });
    // A number or unknown, and never anything else.
    const everything = await walk(all, (page) => page.metrics);
    const temperatures: (number | null)[] = everything.map((row) => row.temperature_celsius);
    assert(temperatures.some((value) => value === null));
    const loads: (number | null)[] = rows.map((row) => row.load_1);
    assert(loads.some((load) => typeof load === "number"));
    const dates = { start_date: "2020-01-01", end_date: "2020-01-02T00:00:00+01:00" };
    const none = data_of(await demo.GET("/api/v1/metrics", { params: { query: dates } }));
    assert.deepEqual(none, { metrics: [], total: 0 });
  },

  async "some fields, and figures of intervals, are read as JSON"() {
    const fields = await demo.GET("/api/v1/metrics", {
      params: { query: { fields: ["agent_id", "cpu_percent"], agent_id: ["agent-123", "this-machine"], limit: 1 } },
    });
    assert.deepEqual(Object.keys(data_of(fields).metrics[0] ?? {}), ["agent_id", "cpu_percent"]);
    const averages = await demo.GET("/api/v1/metrics", {
      params: { query: { interval: "1h", agg: ["avg", "p95"], fields: ["cpu_percent"], start_date: "-3h", limit: 1 } },
    });
    const row = data_of(averages).metrics[0] as unknown as Schemas["MetricAggregate"];
    assert.equal(row.interval_seconds, 3600);
    assert.equal(typeof row["cpu_percent_avg"], "number");
    assert.equal(typeof row["cpu_percent_p95"], "number");
  },

  async "speed tests are read to the end, and one"() {
    const query = { limit: 20, ...span(144) };
    const read = (cursor?: string) => demo.GET("/api/v1/speedtests", { params: { query: { ...query, cursor } } });
    const rows = await walk(read, (page) => page.speedtests);
    assert(rows.length > 50 && distinct(rows.map((row) => row.id)) === rows.length && are_newest_first(rows));
    const failed = { params: { query: { ...query, status: "failed" as const } } };
    const speeds = data_of(await demo.GET("/api/v1/speedtests", failed)).speedtests.map((row) => row.download_mbps);
    assert(speeds.length > 0 && speeds.every((speed) => speed === null));
    const path = { id: rows[0]?.id ?? "" };
    assert.deepEqual(data_of(await demo.GET("/api/v1/speedtests/{id}", { params: { path } })), rows[0]);
  },

  async "traceroutes are read to the end, and one"() {
    const query = { limit: 20, reached: true, ...span(144) };
    const read = (cursor?: string) => demo.GET("/api/v1/traceroutes", { params: { query: { ...query, cursor } } });
    const rows = await walk(read, (page) => page.traceroutes);
    assert(rows.length > 50 && distinct(rows.map((row) => row.id)) === rows.length && are_newest_first(rows));
    const hops = rows.flatMap((row) => row.hops);
    assert(hops.some((hop) => hop.ip === null) && hops.some((hop) => typeof hop.rtt_avg_ms === "number"));
    assert(rows.every((row) => row.reached && row.hops.length === row.hop_count));
    const path = { id: rows[0]?.id ?? "" };
    assert.deepEqual(data_of(await demo.GET("/api/v1/traceroutes/{id}", { params: { path } })), rows[0]);
  },

  async "a key knows itself"() {
    const key = data_of(await demo.GET("/api/v1/key"));
    assert.deepEqual([key.plan, key.permissions.length, key.expires_at], ["enterprise", 4, null]);
    const usage = data_of(await demo.GET("/api/v1/usage"));
    assert.deepEqual([usage.limit, usage.hours.length], [null, 24]);
  },

  async "the document and its page are read"() {
    assert("paths" in data_of(await demo.GET("/api/v1/openapi.json")));
    assert.match(data_of(await demo.GET("/api/v1/docs", { parseAs: "text" })), /<title>/);
    const path = { asset: "explorer.css" as const };
    assert(data_of(await demo.GET("/api/v1/docs/{asset}", { params: { path }, parseAs: "text" })));
  },

  async "a stream goes on where it was left"() {
    const query = { kinds: ["metrics" as const], seconds: 0 };
    const all = { params: { query: { ...query, after: "" } }, parseAs: "text" as const };
    const events = data_of(await demo.GET("/api/v1/stream", all));
    const last = [...events.matchAll(/^id: ?(.*)$/gm)].pop()?.[1];
    assert(last);
    const rest = { params: { query, header: { "Last-Event-ID": last } }, parseAs: "text" as const };
    assert(data_of(await demo.GET("/api/v1/stream", rest)).length < events.length);
  },

  async "agents are enrolled"() {
    one = await agent_of(variable("SERVICE_URL"), variable("ENROLMENT"), "web-1");
    other = await agent_of(variable("SERVICE_URL"), variable("ENROLMENT"), "web-2");
  },

  async "a heartbeat is taken"() {
    const answer = await one.POST("/ingest/v1/heartbeat", {
      body: {
        facts: { hostname: "web-1", os: "Debian GNU/Linux" },
        interval_seconds: 10,
        spool: { row_count: 0, dropped_row_count: 0, oldest_timestamp: null },
        sent_at: new Date().toISOString(),
      },
    });
    assert(Math.abs(Date.parse(data_of(answer).server_time) - Date.now()) < 60 * SECOND);
    const known = data_of(await service.GET("/api/v1/agents/{id}", { params: { path: { id: "web-1" } } }));
    assert.deepEqual([known.os, known.interval_seconds, known.os_version], ["Debian GNU/Linux", 10, null]);
  },

  async "metrics are sent, and read as they were sent"() {
    const time = Date.now() - 60 * SECOND;
    const at = (seconds: number) => new Date(time + seconds * SECOND).toISOString();
    const body: Schemas["MetricBatch"] = {
      metrics: [
        { timestamp: at(0), cpu_percent: 12.5 },
        { timestamp: at(1), memory_used_bytes: 4_096, cpu_percent: null },
        { timestamp: at(2), cpu_percent: 400 },
      ],
    };
    const answer = data_of(await one.POST("/ingest/v1/metrics", { body }));
    assert.deepEqual([answer.taken, answer.known, answer.refused], [2, 0, 1]);
    assert.deepEqual([answer.refused_rows[0]?.row, answer.refused_rows[0]?.field], [2, "cpu_percent"]);
    const again = data_of(await one.POST("/ingest/v1/metrics", { body }));
    assert.deepEqual([again.taken, again.known, again.known_rows], [0, 2, [0, 1]]);
    const stored = data_of(await service.GET("/api/v1/metrics", { params: { query: { sort: "oldest_first" } } }));
    const [first, second] = stored.metrics;
    assert.deepEqual([stored.total, first?.agent_id, first?.timestamp, first?.cpu_percent], [2, "web-1", at(0), 12.5]);
    assert.deepEqual([second?.cpu_percent, second?.memory_used_bytes], [null, 4_096]);
  },

  async "a speed test is sent, and read as it was sent"() {
    const id = "019ab123-4567-7abc-8def-0123456789ab";
    const timestamp = new Date().toISOString();
    const row: Schemas["SpeedtestRow"] = { id, timestamp, status: "completed", download_mbps: 94.2 };
    const answer = data_of(await one.POST("/ingest/v1/speedtests", { body: { speedtests: [row] } }));
    assert.deepEqual([answer.taken, answer.refused], [1, 0]);
    const stored = data_of(await service.GET("/api/v1/speedtests/{id}", { params: { path: { id } } }));
    assert.deepEqual([stored.timestamp, stored.download_mbps, stored.upload_mbps], [timestamp, 94.2, null]);
  },

  async "a traceroute is sent, and read as it was sent"() {
    const id = "019ab123-4567-7abc-8def-0123456789ac";
    const hops = [
      { ttl: 1, sent_count: 3, received_count: 3, ip: "192.0.2.1", rtt_avg_ms: 0.5 },
      { ttl: 2, sent_count: 3, received_count: 0 },
    ];
    const timestamp = new Date().toISOString();
    const row = { id, timestamp, target: "example.com", protocol: "icmp", status: "incomplete", hops } as const;
    const body: Schemas["TracerouteBatch"] = { traceroutes: [{ ...row, hops }] };
    const answer = data_of(await one.POST("/ingest/v1/traceroutes", { body }));
    assert.deepEqual([answer.taken, answer.refused], [1, 0]);
    const stored = data_of(await service.GET("/api/v1/traceroutes/{id}", { params: { path: { id } } }));
    assert.deepEqual([stored.hop_count, stored.reached, stored.rtt_ms], [2, false, null]);
    assert.deepEqual(stored.hops.map((hop) => hop.ip), ["192.0.2.1", null]);
  },

  async "lines are sent, to each of the three paths"() {
    // The body is text, and goes out as it is.
    const sent = { bodySerializer: (text: string) => text, headers: { "Content-Type": "text/plain" } };
    const query = { precision: "s" as const };
    const time = Math.floor(Date.now() / SECOND) - 600;
    const lines = (at: number) => `system,host=web-1 load1=0.42 ${time + at}`;
    const wrong = `${lines(9)}\nsystem,host=web-1 load1="much" ${time}`;
    const plain = await one.POST("/ingest/v1/influx", { params: { query }, body: lines(1), ...sent });
    assert.equal(plain.response.status, 204);
    const partly = data_of(await one.POST("/ingest/v1/influx", { params: { query }, body: wrong, ...sent }));
    assert.deepEqual([partly.refused, partly.refused_lines[0]?.line], [1, 2]);
    for (const path of ["/ingest/v1/influx/api/v2/write", "/ingest/v1/influx/write"] as const) {
      const all = await one.POST(path, { params: { query }, body: lines(path.length), ...sent });
      assert.equal(all.response.status, 204);
      const some = await one.POST(path, { params: { query }, body: wrong, ...sent });
      refused(400, "partial write", some);
      assert(some.error && "refused_lines" in some.error);
      assert.deepEqual(some.error.refused_lines.map((refusal) => refusal.line), [2]);
    }
  },

  async "an agent that has sent nothing has nothing"() {
    const rows = data_of(await service.GET("/api/v1/overview")).overview;
    assert.deepEqual(rows.map((row) => row.agent.id), ["web-1", "web-2"]);
    assert(rows[0]?.metric && rows[0].speedtest && rows[0].traceroute);
    assert.deepEqual([rows[1]?.metric, rows[1]?.speedtest, rows[1]?.traceroute], [null, null, null]);
    const query = { include: "latest" as const };
    const { agents } = data_of(await service.GET("/api/v1/agents", { params: { query } }));
    assert.deepEqual(agents.map((agent) => agent.latest?.traceroute === null), [false, true]);
  },

  async "the speed of the line is measured"() {
    assert.equal(data_of(await one.GET("/ingest/v1/speedtest/getIP")).processedString, "127.0.0.1");
    assert.equal((await one.GET("/ingest/v1/speedtest/empty")).response.status, 200);
    const up = await one.POST("/ingest/v1/speedtest/empty", {
      body: "0".repeat(100_000),
      bodySerializer: (text: string) => text,
      headers: { "Content-Type": "application/octet-stream" },
    });
    assert.equal(up.response.status, 200);
    const download = { params: { query: { ckSize: 1 } }, parseAs: "arrayBuffer" as const };
    const bytes = data_of(await one.GET("/ingest/v1/speedtest/garbage", download));
    assert.equal(bytes.byteLength, 1024 * 1024);
    // The first keeps its seat for a while, and there is one.
    const answer = await other.GET("/ingest/v1/speedtest/garbage", download);
    const response = refused(503, "Other agents are measuring their speed", answer);
    assert(Number(response.headers.get("retry-after")) > 0);
  },

  async "unchanged answers are not sent again"() {
    // Nothing changes here by itself.
    const speedtest = data_of(await service.GET("/api/v1/speedtests")).speedtests[0]?.id ?? "";
    const traceroute = data_of(await service.GET("/api/v1/traceroutes")).traceroutes[0]?.id ?? "";
    type Asked = { header?: { "If-None-Match"?: string } };
    const reads: ((params: Asked) => Promise<{ response: Response }>)[] = [
      (params) => service.GET("/api/v1/agents", { params }),
      (params) => service.GET("/api/v1/agents/{id}", { params: { ...params, path: { id: "web-1" } } }),
      (params) => service.GET("/api/v1/overview", { params }),
      (params) => service.GET("/api/v1/metrics", { params }),
      (params) => service.GET("/api/v1/speedtests", { params }),
      (params) => service.GET("/api/v1/speedtests/{id}", { params: { ...params, path: { id: speedtest } } }),
      (params) => service.GET("/api/v1/traceroutes", { params }),
      (params) => service.GET("/api/v1/traceroutes/{id}", { params: { ...params, path: { id: traceroute } } }),
    ];
    for (const read of reads) {
      const tag = (await read({})).response.headers.get("etag");
      assert(tag);
      assert.equal((await read({ header: { "If-None-Match": tag } })).response.status, 304);
    }
  },

  async "failures of reading are typed"() {
    const yesterday = { params: { query: { start_date: "yesterday" } } };
    refused(400, "Invalid start_date", await service.GET("/api/v1/metrics", yesterday));
    refused(404, "Not found", await service.GET("/api/v1/agents/{id}", { params: { path: { id: "nobody" } } }));
    const long = { params: { query: { cursor: "x".repeat(9_000) } } };
    refused(414, "Request target too long", await service.GET("/api/v1/metrics", long));
    const limited = with_key(variable("SERVICE_URL"), variable("AGENTS_KEY"));
    refused(403, "Insufficient permissions: requires read:metrics", await limited.GET("/api/v1/metrics"));
    const stranger = with_key(variable("SERVICE_URL"), "astra_wrong");
    const unknown = refused(401, "Invalid or missing API key", await stranger.GET("/api/v1/agents"));
    assert(unknown.headers.get("www-authenticate"));

    other_method = "DELETE";
    const deleted = refused(405, "Method not allowed", await service.GET("/api/v1/agents"));
    assert.equal(deleted.headers.get("allow"), "GET, HEAD");
    const packed = { headers: { "Content-Encoding": "gzip" } };
    refused(415, "Unsupported media type", await service.GET("/api/v1/agents", packed));
  },

  async "failures of sending are typed"() {
    const body = { token: variable("ENROLMENT"), facts: { hostname: "web-3" }, agent_id: "web-1" };
    const taken = await with_key(variable("SERVICE_URL")).POST("/ingest/v1/enroll", { body });
    refused(409, "This agent exists already", taken);
    const metrics = Array.from({ length: 10_001 }, () => ({ timestamp: new Date().toISOString() }));
    refused(413, "Request body too large", await one.POST("/ingest/v1/metrics", { body: { metrics } }));
    const nothing = {} as Schemas["MetricBatch"];
    refused(400, "Invalid body", await one.POST("/ingest/v1/metrics", { body: nothing }));
    const as_table = { body: { metrics: [] }, headers: { "Content-Type": "text/csv" } };
    refused(415, "Unsupported media type", await one.POST("/ingest/v1/metrics", as_table));
    other_method = "PUT";
    const empty = { body: { metrics: [] } };
    const put = refused(405, "Method not allowed", await one.POST("/ingest/v1/metrics", empty));
    assert.equal(put.headers.get("allow"), "POST");
    // The demonstration offers no speed tests.
    const agent = await agent_of(variable("DEMO_URL"), variable("DEMO_ENROLMENT"), "typescript");
    refused(404, "Not found", await agent.GET("/ingest/v1/speedtest/garbage", { params: { query: { ckSize: 1 } } }));
  },

  // What is refused here makes this address suspect for a while.
  async "who asks too often reads when to ask again"() {
    const small = with_key(variable("DEMO_URL"), variable("STARTER_KEY"));
    const read = () => small.GET("/api/v1/speedtests", { params: { query: { limit: 1 } } });
    let spent = await read();
    for (let left = 100; left > 0 && spent.response.status === 200; left -= 1) spent = await read();
    assert(Number(refused(429, "Rate limit exceeded", spent).headers.get("retry-after")) > 0);

    const stranger = with_key(variable("SERVICE_URL"), "astra_agent_wrong");
    const beat = () => stranger.POST("/ingest/v1/heartbeat", { body: { facts: { hostname: "web-4" } } });
    let answer = await beat();
    refused(401, "Invalid or missing agent token", answer);
    for (let left = 100; left > 0 && answer.response.status === 401; left -= 1) answer = await beat();
    assert(Number(refused(429, "Too many", answer).headers.get("retry-after")) > 0);
  },
};

assert(types.every((same) => same));
for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log("ok", name);
}
writeFileSync(variable("CALLED"), called.join(""));
