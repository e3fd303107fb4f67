// What holds for every page, light and dark, wide and narrow; and a picture of each.

import assert from "node:assert/strict";
import path from "node:path";
import { seriousViolations } from "../accessibility.mjs";
import { nothing } from "../cases.mjs";
import { taken, watchedPage } from "../chromium.mjs";
import { screenshots } from "../packages.mjs";
import { overflow, settled, signedIn } from "../visitor.mjs";

const WIDE = { width: 1440, height: 900 };
const NARROW = { width: 390, height: 844 };

export default async function everyPage({ it, browser, servers }) {
    const [demo, service, empty] = await Promise.all([
        servers.demo(),
        servers.service(),
        servers.empty("empty pages"),
    ]);
    const traceroute = await newestTraceroute(demo);
    await looked(it, demo, await signedIn(browser, demo, demo.owner), [
        ["overview", "/dashboard"],
        ["agent", "/dashboard/agents/agent-123"],
        ["agent-30d", "/dashboard/agents/agent-126?range=30d"],
        ["speedtests", "/dashboard/speedtests"],
        ["speedtests-of-agent", "/dashboard/speedtests?agent=agent-127&range=7d"],
        ["traceroutes", "/dashboard/traceroutes"],
        ["traceroute", `/dashboard/traceroutes/${traceroute}`],
        ["agent-not-found", "/dashboard/agents/no-such-agent", { status: 404 }],
    ]);
    await looked(it, service, await signedIn(browser, service, service.owner), [
        ["settings", "/dashboard/settings"],
        ["settings-agents-fleet", "/dashboard/settings/agents"],
        ["settings-agents-new-token", "/dashboard/settings/agents", { open: "New token" }],
        ["settings-alerts", "/dashboard/settings/alerts"],
        ["settings-alerts-new-key", "/dashboard/settings/alerts", { open: "New key" }],
        ["settings-alerts-new-rule", "/dashboard/settings/alerts", { open: "New rule" }],
        ["settings-alerts-new-channel", "/dashboard/settings/alerts", { open: "New channel" }],
        ["settings-people", "/dashboard/settings/people"],
        ["settings-people-add", "/dashboard/settings/people", { open: "Add person" }],
        ["settings-sessions", "/dashboard/settings/sessions"],
        ["settings-audit", "/dashboard/settings/audit"],
        ["not-found", "/dashboard/nowhere", { status: 404 }],
    ]);
    await looked(it, service, await signedIn(browser, service, service.viewer), [
        ["settings-alerts-viewer", "/dashboard/settings/alerts"],
        ["settings-agents-viewer", "/dashboard/settings/agents"],
    ]);
    await looked(it, demo, await watchedPage(browser, demo.url), [["sign-in", "/dashboard/sign-in"]]);
    await looked(it, empty, await watchedPage(browser, empty.url), [["set-up", "/dashboard/set-up"]]);
}

async function looked(it, server, { context, page, faults }, pages) {
    for (const [name, address, { status = 200, open } = {}] of pages) {
        for (const theme of ["light", "dark"]) {
            const sentence = `${name}, ${theme}: accessible, silent, from here alone, no wider than its window`;
            await it(sentence, async () => {
                await page.emulateMedia({ colorScheme: theme });
                await page.setViewportSize(WIDE);
                taken(faults);
                const answer = await page.goto(`${server.url}${address}`);
                await settled(page);
                assert.equal(answer.status(), status, address);
                if (open) await page.getByRole("button", { name: open, exact: true }).click();
                const found = [];
                for (const size of [WIDE, NARROW]) {
                    await page.setViewportSize(size);
                    await settled(page);
                    await page.screenshot({
                        path: path.join(screenshots, `${name}-${theme}-${size.width}.png`),
                        // A dialog is where the window is.
                        fullPage: !open,
                    });
                    found.push(...(await overflow(page)).map((each) => `${size.width}: ${each}`));
                    found.push(...(await seriousViolations(page)).map((each) => `${size.width}: ${each}`));
                }
                // The browser itself reports the status of a page that is an error.
                const expected = (fault) => status !== 200 && fault.includes(`status of ${status}`);
                nothing([...found, ...taken(faults).filter((fault) => !expected(fault))]);
            });
        }
    }
    await context.close();
}

async function newestTraceroute(demo) {
    const headers = { authorization: `Bearer ${demo.keys.enterprise}` };
    const answer = await fetch(`${demo.url}/api/v1/traceroutes?agent_id=agent-125&limit=1`, { headers });
    return (await answer.json()).traceroutes[0].id;
}
