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
    const [demo, empty] = await Promise.all([servers.demo(), servers.empty()]);
    const traceroute = await newestTraceroute(demo);
    const signedInPages = [
        ["overview", "/dashboard"],
        ["agent", "/dashboard/agents/agent-123"],
        ["agent-30d", "/dashboard/agents/agent-126?range=30d"],
        ["speedtests", "/dashboard/speedtests"],
        ["traceroutes", "/dashboard/traceroutes"],
        ["traceroute", `/dashboard/traceroutes/${traceroute}`],
        ["settings", "/dashboard/settings"],
        ["settings-alerts", "/dashboard/settings/alerts"],
        ["settings-people", "/dashboard/settings/people"],
        ["settings-sessions", "/dashboard/settings/sessions"],
        ["settings-audit", "/dashboard/settings/audit"],
        ["not-found", "/dashboard/nowhere", 404],
        ["agent-not-found", "/dashboard/agents/no-such-agent", 404],
    ];
    const owner = await signedIn(browser, demo, demo.owner);
    await looked(it, demo, owner, signedInPages);
    const nobody = await watchedPage(browser, demo.url);
    await looked(it, demo, nobody, [["sign-in", "/dashboard/sign-in"]]);
    const first = await watchedPage(browser, empty.url);
    await looked(it, empty, first, [["set-up", "/dashboard/set-up"]]);
}

async function looked(it, server, { page, faults }, pages) {
    for (const [name, address, status = 200] of pages) {
        for (const theme of ["light", "dark"]) {
            await it(`${name}, ${theme}: accessible, silent, from here alone, and no wider than its window`, async () => {
                await page.emulateMedia({ colorScheme: theme });
                await page.setViewportSize(WIDE);
                taken(faults);
                const answer = await page.goto(`${server.url}${address}`);
                await settled(page);
                assert.equal(answer.status(), status, address);
                const found = [];
                for (const size of [WIDE, NARROW]) {
                    await page.setViewportSize(size);
                    await settled(page);
                    await page.screenshot({
                        path: path.join(screenshots, `${name}-${theme}-${size.width}.png`),
                        fullPage: true,
                    });
                    found.push(...(await overflow(page)).map((each) => `${size.width}: ${each}`));
                    found.push(...(await seriousViolations(page)).map((each) => `${size.width}: ${each}`));
                }
                // The browser itself reports the status of a page that is an error.
                const expected = (fault) => status !== 200 && fault.includes(`status of ${status}`);
                found.push(...taken(faults).filter((fault) => !expected(fault)));
                nothing(found);
            });
        }
    }
}

async function newestTraceroute(demo) {
    const headers = { authorization: `Bearer ${demo.keys.enterprise}` };
    const answer = await fetch(`${demo.url}/api/v1/traceroutes?agent_id=agent-125&limit=1`, { headers });
    return (await answer.json()).traceroutes[0].id;
}
