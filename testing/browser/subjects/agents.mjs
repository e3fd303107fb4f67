// From an empty overview to an agent that reports, and to its end. Needs the account that set_up.mjs makes.

import assert from "node:assert/strict";
import { nothing } from "../cases.mjs";
import { taken } from "../chromium.mjs";
import { sent } from "../ingestion.mjs";
import { looked } from "../pictures.mjs";
import { drawnCharts, settled, signedIn } from "../visitor.mjs";
import { OWNER } from "./set_up.mjs";

const HOST = "web-1";
const NAME = "the front door";
/** The overview looks each three seconds while it is empty. */
const APPEARS_MS = 10_000;

export default async function agents({ it, browser, servers }) {
    const server = await servers.empty("empty");
    const { page, faults } = await signedIn(browser, server, OWNER);
    const settings = `${server.url}/dashboard/settings/agents`;
    let token;
    let agent;

    await it("the empty overview leads to the form that makes a token", async () => {
        const found = await looked(page, "overview-empty");
        await page.getByRole("link", { name: "Make an enrolment token" }).click();
        await page.getByRole("dialog", { name: "New enrolment token" }).waitFor();
        nothing(found);
    });

    await it("by keyboard alone a token is made, and shown once with the line to run", async () => {
        await page.keyboard.type("rack 7");
        await page.keyboard.press("Enter");
        const shown = page.getByRole("dialog", { name: "Enrol an agent" });
        await shown.waitFor();
        const command = await shown.locator("#enrol-command").innerText();
        token = /--token (astra_enroll_[0-9A-Za-z]{36})$/.exec(command)?.[1];
        assert.ok(token, command);
        servers.secret("an enrolment token", token, { once: true });
        assert.ok(command.includes(`--server ${server.url} `), command);
        const found = await looked(page, "settings-agents-token", { fullPage: false });
        await shown.getByRole("button", { name: "I have kept it" }).click();
        await page.locator("#enrolments").getByText("0 of 1", { exact: true }).waitFor();
        assert.ok(!(await page.content()).includes(token), "and never again");
        nothing(found);
    });

    await it(
        "a machine that is enrolled with it and reports appears on the overview by itself",
        async () => {
            await page.goto(`${server.url}/dashboard`);
            await page.getByText("Waiting for the first agent").waitFor();
            const enrolled = await sent(server, "enroll", undefined, { token, facts: { hostname: HOST } });
            assert.equal(enrolled.status, 201, JSON.stringify(enrolled.body));
            agent = { id: enrolled.body.agent_id, token: enrolled.body.agent_token };
            servers.secret("an agent's token", agent.token, { once: true });
            const start = Date.now();
            await page.locator(`#fleet tr[data-id="${agent.id}"]`).waitFor({ timeout: APPEARS_MS });
            const again = await sent(server, "enroll", undefined, { token, facts: { hostname: HOST } });
            assert.equal(again.status, 401, "the token was for one");
            return `${Date.now() - start} ms`;
        },
        APPEARS_MS + 5_000,
    );

    await it("its metrics are on its page's charts", async () => {
        const now = Date.now();
        const metrics = Array.from({ length: 30 }, (_, n) => ({
            timestamp: new Date(now - n * 60_000).toISOString(),
            interval_seconds: 60,
            cpu_percent: 20 + (n % 7) * 5,
            memory_percent: 40,
            latency_ms: 12,
        }));
        const taken = await sent(server, "metrics", agent.token, { metrics });
        assert.deepEqual([taken.status, taken.body.taken], [200, 30], JSON.stringify(taken.body));
        const heartbeat = {
            facts: { hostname: HOST, agent_version: "0.1.0", os: "Debian GNU/Linux" },
            interval_seconds: 60,
            spool: { row_count: 1204, oldest_timestamp: new Date(now - 600_000).toISOString(), dropped_row_count: 12 },
            cost: { cpu_percent: 0.31, memory_bytes: 13 * 2 ** 20 },
            sent_at: new Date(now).toISOString(),
        };
        assert.equal((await sent(server, "heartbeat", agent.token, heartbeat)).status, 200);
        await page.goto(`${server.url}/dashboard/agents/${agent.id}?range=1h`);
        await settled(page);
        const drawn = (await drawnCharts(page)).filter((chart) => chart.drawn > 500);
        assert.ok(drawn.length >= 2, `${drawn.length} charts`);
        await page.getByText("1,204 rows wait").waitFor();
        nothing(await looked(page, "agent-enrolled"));
    });

    await it("it is named and labelled, from its own page", async () => {
        await page.getByRole("link", { name: "Edit", exact: true }).click();
        const form = page.getByRole("dialog", { name: "Name and labels" });
        await form.waitFor();
        await form.getByLabel("Name (optional)").fill(NAME);
        await form.getByLabel("Labels").fill("site=ber\nrack=7");
        await form.getByRole("button", { name: "Save" }).click();
        await form.waitFor({ state: "hidden" });
        await rowOf(page).getByText("site: ber").waitFor();
        await settled(page);
        const found = await looked(page, "settings-agents");
        await page.goto(`${server.url}/dashboard`);
        await page.getByRole("link", { name: NAME }).waitFor();
        nothing(found);
    });

    await it("disabled, nothing is taken from it, at once; enabled, it goes on", async () => {
        await page.goto(settings);
        await settled(page);
        await rowOf(page).getByRole("button", { name: "Disable" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Disable" }).click();
        await rowOf(page).getByText("disabled", { exact: true }).waitFor();
        const metrics = [{ timestamp: new Date().toISOString(), cpu_percent: 1 }];
        assert.equal((await sent(server, "metrics", agent.token, { metrics })).status, 401);
        await settled(page);
        await rowOf(page).getByRole("button", { name: "Enable" }).click();
        await rowOf(page).getByRole("button", { name: "Disable" }).waitFor();
        assert.equal((await sent(server, "metrics", agent.token, { metrics })).status, 200);
    });

    await it("it is deleted only by its typed id, and its token and page are gone", async () => {
        await settled(page);
        await rowOf(page).getByRole("button", { name: "Delete" }).click();
        const form = page.getByRole("dialog", { name: "Delete agent" });
        await form.waitFor();
        const found = await looked(page, "settings-agents-delete", { fullPage: false });
        await form.getByLabel(/^Type/).fill("web");
        await form.getByRole("button", { name: "Delete agent and data" }).click();
        assert.ok(await form.isVisible(), "another word deletes nothing");
        await form.getByLabel(/^Type/).fill(agent.id);
        await form.getByRole("button", { name: "Delete agent and data" }).click();
        await page.getByText("No agents yet").waitFor();
        const metrics = [{ timestamp: new Date().toISOString(), cpu_percent: 1 }];
        assert.equal((await sent(server, "metrics", agent.token, { metrics })).status, 401);
        assert.equal((await page.goto(`${server.url}/dashboard/agents/${agent.id}`)).status(), 404);
        await page.getByRole("navigation", { name: "Main" }).waitFor();
        taken(faults);
        nothing(found);
    });

    await it("what is kept shorter is said before it is deleted", async () => {
        await page.goto(`${server.url}/dashboard/settings`);
        await settled(page);
        await page.getByLabel("Samples, days").fill("7");
        const loss = page.locator("[data-loss]");
        await loss.filter({ hasText: "Samples older than 7 days" }).waitFor();
        await page.locator("[data-retention]").getByRole("button", { name: "Save" }).click();
        await page.getByRole("dialog").getByRole("button", { name: "Keep less" }).click();
        await page.getByText("your own choice").waitFor();
        return looked(page, "settings-retention").then(nothing);
    });

    await it("nothing of this is a fault to the browser", async () => nothing(taken(faults)));
}

function rowOf(page) {
    return page.locator("#agent-table tbody tr").filter({ hasText: HOST });
}
