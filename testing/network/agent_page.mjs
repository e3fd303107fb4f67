// The pages of an agent of testing/steps/network, in a browser inside the server's namespace.
// Usage: agent_page.mjs URL PASSWORD

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { Cases } from "../browser/cases.mjs";
import { launch } from "../browser/chromium.mjs";
import { screenshots } from "../browser/packages.mjs";
import { settled, signedIn } from "../browser/visitor.mjs";

const [url, password] = process.argv.slice(2);
const cases = new Cases();
const browser = await launch();
mkdirSync(screenshots, { recursive: true });
const { page, faults } = await signedIn(browser, { url }, { email: "owner@example.com", password });

await cases.it("the overview shows both agents with what they measured", async () => {
    for (const id of ["a", "b"]) {
        assert.match(await page.locator(`#fleet tr[data-id="${id}"]`).innerText(), /\d\s%/);
    }
});

await cases.it("the agent's page shows its way to the other agent and the rate of its line", async () => {
    await page.goto(`${url}/dashboard/agents/a`);
    await settled(page);
    await page.screenshot({ path: path.join(screenshots, "network-agent.png"), fullPage: true });
    const text = await page.locator("main").innerText();
    assert.match(text, /10\.203\.3\.2/);
    assert.match(text, /\b(4[5-9]|5[0-5])(\.\d+)?\s*Mbps/);
});

await cases.it("the trace's page shows every hop in order", async () => {
    await page.locator(".trace-summary a").first().click();
    await settled(page);
    const text = await page.locator("main").innerText();
    const places = ["10.203.1.1", "10.203.2.2", "10.203.3.2"].map((hop) => text.lastIndexOf(hop));
    assert.ok(
        places.every((place) => place > 0),
        text,
    );
});

await cases.it("the console is silent", async () => assert.deepEqual(faults, []));
await browser.close();
process.exit(cases.close() ? 0 : 1);
