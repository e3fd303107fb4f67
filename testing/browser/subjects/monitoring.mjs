// Overview and agent pages of a fleet that goes on reporting.

import assert from "node:assert/strict";
import { nothing } from "../cases.mjs";
import { taken } from "../chromium.mjs";
import { drawnCharts, settled, signedIn } from "../visitor.mjs";

export default async function monitoring({ it, browser, servers }) {
    const demo = await servers.demo();
    const { page, faults } = await signedIn(browser, demo, demo.owner);

    await it("the overview shows every agent of the account with what it measured last", async () => {
        const headers = { authorization: `Bearer ${demo.keys.enterprise}` };
        const { agents } = await (await fetch(`${demo.url}/api/v1/agents`, { headers })).json();
        const rows = page.locator("#fleet tbody tr");
        assert.equal(await rows.count(), agents.length);
        for (const agent of agents) {
            const text = await page.locator(`#fleet tr[data-id="${agent.id}"]`).innerText();
            assert.ok(text.includes(agent.name ?? agent.hostname), text);
            assert.match(text, /\d\s%/, `${agent.id} has a share: ${text}`);
        }
    });

    await it("the table is sorted by a click on a heading, and the other way round by another", async () => {
        const cpu = page.getByRole("button", { name: "CPU" });
        const shares = () =>
            page
                .locator("#fleet tbody tr td:nth-child(4)")
                .evaluateAll((cells) => cells.map((cell) => parseFloat(cell.innerText)));
        const orders = [];
        for (const _ of [1, 2]) {
            await cpu.click();
            const found = (await shares()).filter((share) => !Number.isNaN(share));
            const order = found[0] <= found.at(-1) ? 1 : -1;
            assert.deepEqual(
                found,
                [...found].sort((left, right) => order * (left - right)),
            );
            orders.push(await page.locator("#fleet th[data-sort=cpu]").getAttribute("aria-sort"));
        }
        assert.deepEqual([...orders].sort(), ["ascending", "descending"]);
    });

    await it("a search by name or by label leaves the agents that match", async () => {
        const visible = page.locator("#fleet tbody tr:visible");
        for (const [words, count] of [
            ["edge-nyc", 1],
            ["nowhere to be found", 0],
            ["", await visible.count()],
        ]) {
            await page.getByLabel("Search by name or label").fill(words);
            await page.waitForFunction(
                (expected) =>
                    [...document.querySelectorAll("#fleet tbody tr")].filter((row) => row.offsetParent).length ===
                    expected,
                count,
            );
        }
    });

    await it("the overview renews itself: what is reported next stands in its row of the same page", async () => {
        // The next answer, as if one agent had reported and another one had joined; its time comes at once.
        await page.route("**/dashboard/data/fleet", async (route) => {
            const answer = await route.fetch();
            const fleet = await answer.json();
            const changed = fleet.rows.find(({ id }) => id === "agent-124");
            Object.assign(changed.cpu, { text: "93 %", percent: 93 });
            fleet.rows.push({ ...changed, id: "agent-new", name: "just-joined" });
            await route.fulfill({ response: answer, json: fleet });
        });
        await page.clock.install();
        await page.goto(`${demo.url}/dashboard`);
        await page.evaluate(() => (document.body.dataset.kept = "yes"));
        await page.clock.runFor(30_000);
        await page.locator('#fleet tr[data-id="agent-124"]').getByText("93 %").waitFor();
        await page.locator('#fleet tr[data-id="agent-new"]').getByText("just-joined").waitFor();
        assert.equal(await page.evaluate(() => document.body.dataset.kept), "yes", "the same page");
        await page.unroute("**/dashboard/data/fleet");
    });

    await it("an agent's page draws its charts over each range", async () => {
        const told = [];
        for (const range of ["1h", "24h", "7d", "30d"]) {
            await page.goto(`${demo.url}/dashboard/agents/agent-123?range=${range}`);
            await settled(page);
            const charts = await drawnCharts(page);
            assert.ok(charts.length >= 5, `${range}: ${charts.length} charts`);
            for (const chart of charts) {
                assert.ok(chart.drawn > 500 && chart.colours > 3, `${range}: ${JSON.stringify(chart)}`);
            }
            told.push(`${range}: ${charts.length}`);
        }
        return told.join(", ");
    });

    await it("nothing of this is a fault to the browser", async () => nothing(taken(faults)));
}
