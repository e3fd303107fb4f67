// An alert from its rule to its end: what an agent sends makes it fire and ends it, and the page shows both.

import assert from "node:assert/strict";
import { eventually, nothing } from "../cases.mjs";
import { taken } from "../chromium.mjs";
import { sent } from "../ingestion.mjs";
import { looked } from "../pictures.mjs";
import { command } from "../program.mjs";
import { settled, signedIn } from "../visitor.mjs";
import { webhookReceiver } from "../webhook.mjs";
import { opened, rowOf } from "./alerts.mjs";

const HOST = "batch-7";
const HOOK = "the batch team";
const RULE = "batch work is too much";
const [THRESHOLD, ABOVE, BELOW] = [80, 96.5, 12.25];
/** The service evaluates its rules each second. */
const SEEN_MS = 15_000;

export default async function alertResolves({ it, browser, servers }) {
    const service = await servers.service();
    const { page, faults } = await signedIn(browser, service, service.owner);
    const receiver = await webhookReceiver();
    const told = () => receiver.deliveries.map(({ body }) => JSON.parse(body));
    const address = `${service.url}/dashboard/settings/alerts`;
    const event = page.locator("#history tbody tr").filter({ hasText: RULE });
    const state = () => rowOf(page, RULE).locator('[data-label="State"]');
    let agent;

    /** Opens the page until it shows what `locator` looks for; how long that took. */
    const shown = async (what, locator) => {
        const start = Date.now();
        await eventually(
            what,
            async () => {
                await page.goto(address);
                await settled(page);
                return (await locator.count()) > 0;
            },
            SEEN_MS,
            250,
        );
        return `${Date.now() - start} ms`;
    };
    const measured = async (cpu_percent) => {
        const metrics = [{ timestamp: new Date().toISOString(), cpu_percent }];
        const answer = await sent(service, "metrics", agent.token, { metrics });
        assert.deepEqual([answer.status, answer.body.taken], [200, 1], JSON.stringify(answer.body));
    };

    await it("an agent that is enrolled can be chosen for a rule, and the rule begins without an alert", async () => {
        agent = await enrolled(service, servers);
        await page.goto(address);
        await settled(page);
        const channel = await opened(page, "New channel");
        await channel.getByLabel("Name").fill(HOOK);
        await channel.getByLabel("Kind").selectOption("webhook");
        await channel.getByLabel("URL").fill(receiver.url);
        await channel.getByRole("button", { name: "Make channel" }).click();
        const once = page.locator("#channel-shown");
        await once.waitFor();
        const secret = await once.locator("#channel-secret").innerText();
        servers.secret("the secret of the batch team's webhook", secret, { once: true });
        await once.getByRole("button", { name: "I have kept it" }).click();
        // The page comes anew with it.
        await rowOf(page, HOOK).waitFor();
        await settled(page);
        const form = await opened(page, "New rule");
        await form.getByLabel("Name").fill(RULE);
        await form.getByLabel("Severity").selectOption("critical");
        await form.getByLabel("Fires when").selectOption("metric_threshold");
        await form.getByLabel("For", { exact: true }).selectOption({ label: HOST });
        await form.getByLabel("Metric").selectOption("cpu_percent");
        await form.getByLabel("Value").fill(String(THRESHOLD));
        await form.getByLabel("For minutes").fill("0");
        await form.getByLabel(HOOK).check();
        await form.getByRole("button", { name: "Save rule" }).click();
        await form.waitFor({ state: "hidden" });
        await state().getByText("ok", { exact: true }).waitFor();
        assert.equal(await event.count(), 0, "nothing has fired");
    });

    await it("a sample above the threshold is seen as a firing alert that goes on", async () => {
        await measured(ABOVE);
        const after = await shown("the firing rule", state().locator(".badge.bad", { hasText: "firing" }));
        await state().getByText("1 agent", { exact: true }).click();
        await state().getByText(HOST).waitFor();
        assert.equal(await event.count(), 1);
        const text = await event.innerText();
        for (const said of [HOST, "critical", String(ABOVE), "goes on"]) assert.ok(text.includes(said), `${said}: ${text}`);
        await eventually("the message", () => told().length === 1, SEEN_MS);
        assert.deepEqual([told()[0].state, told()[0].value], ["fired", ABOVE]);
        nothing(await looked(page, "settings-alerts-firing"));
        return after;
    });

    await it("a sample below it ends the alert: the rule is well, and the history says when and at what", async () => {
        await measured(BELOW);
        const after = await shown("the end of the alert", state().getByText("ok", { exact: true }));
        assert.equal(await event.count(), 1, "the same event");
        const text = await event.innerText();
        assert.ok(text.includes(String(BELOW)), text);
        assert.ok(!text.includes("goes on"), text);
        await event.locator('[data-label="Over"] time').waitFor();
        await eventually("the message", () => told().length === 2, SEEN_MS);
        const [fired, resolved] = told();
        assert.deepEqual([resolved.state, resolved.event_id], ["resolved", fired.event_id]);
        nothing(await looked(page, "settings-alerts-resolved"));
        return `${after}; ${text.replace(/\s+/g, " ")}`;
    });

    await it("another sample below it tells nobody anything", async () => {
        await measured(BELOW);
        // Two more evaluations.
        await page.waitForTimeout(2_500);
        await page.goto(address);
        assert.equal(await event.count(), 1);
        assert.equal(told().length, 2);
        receiver.close();
    });

    await it("nothing of this is a fault to the browser", async () => nothing(taken(faults)));
}

/** An agent of the service, by a token from the command line. */
async function enrolled(service, servers) {
    const settings = { database_url: `sqlite://${service.data}/astranetmon.sqlite3` };
    const args = ["enrolment", "create", "--account", "large-fleet", "--name", HOST];
    const token = servers.secret("the batch host's enrolment token", (await command(args, settings)).trim());
    const { status, body } = await sent(service, "enroll", undefined, { token, facts: { hostname: HOST } });
    assert.equal(status, 201, JSON.stringify(body));
    return { id: body.agent_id, token: servers.secret("the batch host's token", body.agent_token) };
}
