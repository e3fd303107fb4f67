// What the rules of alerts.mjs have told, and what the pages say of it.

import assert from "node:assert/strict";
import { eventually, nothing } from "../cases.mjs";
import { taken } from "../chromium.mjs";
import { bodyOf } from "../smtp.mjs";
import { signedIn } from "../visitor.mjs";
import { signedBy } from "../webhook.mjs";
import { BUSY, ON_CALL, SILENT, rowOf } from "./alerts.mjs";

/** An evaluation each 10 s, another attempt 12 s after a failed one at the latest, looked for each 5 s; and 30 s. */
const ARRIVED_MS = 45_000;

export default async function alertsArrive({ it, browser, servers }) {
    const service = await servers.service();
    const { receiver, mail } = servers;
    assert.ok(receiver, "the subject alerts comes before this one");
    const brought = (rule) =>
        receiver.deliveries
            .map((delivery) => ({ ...delivery, told: JSON.parse(delivery.body) }))
            .filter(({ told }) => told.rule?.name === rule.name);

    await it(
        "an alert that fired reaches the webhook, again after a failed attempt, and is signed each time",
        async () => {
            await eventually("two deliveries", () => brought(BUSY).length >= 2, ARRIVED_MS, 100);
            const [failed, arrived] = brought(BUSY);
            assert.deepEqual([failed.status, arrived.status], [503, 200]);
            assert.equal(failed.told.event_id, arrived.told.event_id, "the same event");
            assert.equal(arrived.headers["x-astra-event-id"], arrived.told.event_id);
            for (const { headers, body } of [failed, arrived]) {
                assert.ok(signedBy(receiver.secret, headers["x-astra-signature"], body), "the signature fits");
            }
            const { state, severity, agent, value, threshold } = arrived.told;
            assert.deepEqual([state, severity, agent.id, threshold], ["fired", "critical", BUSY.agent, 1]);
            assert.ok(value > 1, `${value}`);
            assert.equal(brought(BUSY).length, 2, "and no more often");
            return `${arrived.told.sentence} After ${((arrived.at - failed.at) / 1000).toFixed(1)} s again`;
        },
        ARRIVED_MS + 2_000,
    );

    await it("it reaches the mailbox once, with what happened in its subject", async () => {
        const messages = () =>
            mail.messages.filter(({ text }) => bodyOf(text).includes(brought(BUSY)[0].told.sentence));
        await eventually("the message", () => messages().length > 0);
        assert.equal(messages().length, 1);
        const [{ to, text }] = messages();
        assert.deepEqual(to, [ON_CALL]);
        return /^Subject: .*$/m.exec(text)?.[0];
    });

    await it(
        "an agent that does not report is told too",
        async () => {
            await eventually("the delivery", () => brought(SILENT).length > 0, ARRIVED_MS, 100);
            const [{ told, headers, body }] = brought(SILENT);
            assert.equal(told.kind, "agent_offline");
            assert.ok(signedBy(receiver.secret, headers["x-astra-signature"], body), "the signature fits");
            return told.sentence;
        },
        ARRIVED_MS + 2_000,
    );

    const { page, faults } = await signedIn(browser, service, service.owner);

    await it("the page shows both rules firing, for which agent, and their history", async () => {
        await page.goto(`${service.url}/dashboard/settings/alerts`);
        for (const { name } of [BUSY, SILENT]) {
            assert.match(await rowOf(page, name).locator('[data-label="State"]').innerText(), /firing/i, name);
        }
        const history = page.locator("#history tbody tr");
        assert.equal(await history.count(), 2);
        await history.filter({ hasText: BUSY.name }).getByRole("link").click();
        await page.waitForURL(`${service.url}/dashboard/agents/${BUSY.agent}`);
    });

    await it("nothing of this is a fault to the browser", async () => nothing(taken(faults)));
}
