// Other origins with a signed-in browser change nothing and read nothing.

import assert from "node:assert/strict";
import path from "node:path";
import { nothing } from "../cases.mjs";
import { foreignOrigins, includeEveryWay, postForms, sendEveryWay } from "../origins.mjs";
import { command } from "../program.mjs";
import { fetchWithCookie, sessionCookie, signedIn } from "../visitor.mjs";

const READS = [
    "/dashboard",
    "/dashboard/agents/agent-0003",
    "/dashboard/settings/alerts",
    "/dashboard/data/fleet",
    "/api/v1/agents",
    "/api/v1/metrics?limit=5",
    "/auth/v1/session",
];
const KEYS = "/dashboard/settings/alerts/keys";
const KEY = { name: "made elsewhere", permissions: ["read:agents"], expires_in_days: null };

export default async function crossSite({ it, browser, servers }) {
    const service = await servers.service();
    const foreign = await foreignOrigins();
    const { context, page } = await signedIn(browser, service, service.owner);
    const cookie = await sessionCookie(context);
    const email = `eve@${service.name}.example`;
    servers.secret("the cookie that others try", cookie.value);
    const { id, key } = await made(page);
    servers.secret("a key made by script", key, { once: true });
    const changes = [
        ["POST", KEYS, KEY],
        ["POST", `${KEYS}/${id}/roll`, { overlap_hours: 0 }],
        ["DELETE", `${KEYS}/${id}`],
        ["POST", "/dashboard/settings/people", { email, role: "owner", password: "a person made elsewhere" }],
        ["DELETE", "/dashboard/settings/sessions"],
        ["POST", "/auth/v1/session", { email: service.viewer.email, password: service.viewer.password }],
        ["DELETE", "/auth/v1/session"],
    ];
    const attacks = changes.map(([method, address, json]) => ({ url: service.url + address, method, json }));
    const before = await state(service, cookie);

    for (const place of foreign.places) {
        const unchanged = async () => {
            assert.deepEqual(await state(service, cookie), before, "keys, people and sessions");
            assert.equal((await sessionCookie(context)).value, cookie.value, "the browser's session");
        };
        await it(`${place.name} reads nothing with the browser's session`, async () => {
            await arrive(page, place);
            const urls = READS.map((address) => service.url + address);
            const read = await page.evaluate(
                sendEveryWay,
                urls.map((url) => ({ url, method: "GET" })),
            );
            const included = await page.evaluate(
                includeEveryWay,
                urls.map((url) => ({ url })),
            );
            nothing([...read, ...included]);
            for (const frame of page.frames().slice(1)) {
                assert.doesNotMatch(await frame.content().catch(() => ""), /AstraNetmon|agent-0003/, frame.url());
            }
            await unchanged();
        });
        await it(`${place.name} changes nothing by fetch, beacon or pre-flight`, async () => {
            await arrive(page, place);
            const length = service.said.length;
            const read = await page.evaluate(sendEveryWay, attacks);
            nothing(read);
            await unchanged();
            return refusals(service, length);
        });
        await it(`${place.name} changes nothing by forms of any encoding`, async () => {
            await arrive(page, place);
            const length = service.said.length;
            const posts = attacks.filter(({ method }) => method === "POST");
            const read = await page.evaluate(postForms, posts);
            nothing(read);
            // And once as a page of its own, which brings a cookie that is Lax where a frame would not.
            await page.evaluate(({ url, json }) => {
                const form = Object.assign(document.createElement("form"), { action: url, method: "POST" });
                for (const [name, value] of Object.entries(json)) {
                    form.append(Object.assign(document.createElement("input"), { name, value: String(value) }));
                }
                document.body.append(form);
                form.submit();
            }, posts[0]);
            await page.waitForURL(posts[0].url);
            await unchanged();
            return refusals(service, length);
        });
    }

    await it("no pre-flight is granted, to no origin", async () => {
        for (const address of [...READS, KEYS]) {
            for (const { origin } of foreign.places) {
                const answer = await fetchWithCookie(service, address, cookie, {
                    method: "OPTIONS",
                    headers: {
                        origin,
                        "access-control-request-method": "POST",
                        "access-control-request-headers": "content-type, x-astra-csrf",
                    },
                });
                const granted = [...answer.headers.keys()].filter((name) => name.startsWith("access-control-allow"));
                assert.deepEqual(granted, [], `${origin} ${address}`);
            }
        }
    });

    await it("a change from here is refused too, without the token, with another, or as another type", async () => {
        await page.goto(`${service.url}/dashboard`);
        const statuses = await page.evaluate(
            async ({ address, body }) => {
                const token = document.querySelector('meta[name="csrf-token"]').content;
                const json = "application/json";
                const tried = [
                    { "content-type": json },
                    { "content-type": json, "x-astra-csrf": [...token].reverse().join("") },
                    { "content-type": "text/plain", "x-astra-csrf": token },
                    { "content-type": "application/x-www-form-urlencoded", "x-astra-csrf": token },
                ];
                const sent = tried.map((headers) => fetch(address, { method: "POST", headers, body }));
                return (await Promise.all(sent)).map(({ status }) => status);
            },
            { address: KEYS, body: JSON.stringify(KEY) },
        );
        assert.ok(
            statuses.every((status) => [400, 403, 415].includes(status)),
            statuses.join(", "),
        );
        assert.deepEqual(await state(service, cookie), before);
        return statuses.join(", ");
    });

    await it("a link from another site opens the dashboard, and says nothing to the page it was on", async () => {
        const { url } = foreign.places[1];
        await page.goto(url);
        await page.evaluate((address) => {
            document.body.append(Object.assign(document.createElement("a"), { href: address, textContent: "look" }));
        }, `${service.url}/dashboard`);
        await page.getByText("look").click();
        await page.waitForURL(`${service.url}/dashboard`);
        await page.getByRole("heading", { name: "Overview" }).waitFor();
    });

    foreign.close();
}

/** A key of the owner's, made as the dashboard's own page does; the same request is what other origins try. */
async function made(page) {
    return page.evaluate(
        async ([address, key]) => {
            const token = document.querySelector('meta[name="csrf-token"]').content;
            const headers = { "content-type": "application/json", "x-astra-csrf": token };
            const answer = await fetch(address, { method: "POST", headers, body: JSON.stringify(key) });
            if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
            return answer.json();
        },
        [KEYS, { ...KEY, name: "made at home" }],
    );
}

/** Opens the foreign page and makes sure that it is what it is meant to be. */
async function arrive(page, place) {
    await page.goto(place.url);
    assert.equal(await page.evaluate(() => self.origin), place.origin);
}

/** What an attack may want to change. */
async function state(service, cookie) {
    const settings = { database_url: `sqlite://${path.join(service.data, "astranetmon.sqlite3")}` };
    const list = async (what) =>
        JSON.parse(await command([what, "list", "--account", "large-fleet", "--format", "json"], settings));
    const keys = (await list("key")).keys.map(({ last_used_at: _, ...key }) => key);
    const sessions = await (await fetchWithCookie(service, "/dashboard/settings/sessions", cookie)).text();
    return { keys, people: (await list("user")).users, sessions: sessions.match(/<tr\b/g)?.length };
}

/** How the server answered what is not a GET, from its log. */
function refusals(service, from) {
    const counts = new Map();
    for (const { message, method, status } of service.logLines(from)) {
        if (message !== "request" || method === "GET") continue;
        counts.set(`${method} ${status}`, (counts.get(`${method} ${status}`) ?? 0) + 1);
        assert.ok(status >= 400, `${method} ${status}`);
    }
    return [...counts].map(([what, count]) => `${count} × ${what}`).join(", ");
}
