// Looks at the dashboard in Debian's Chromium. Usage: node run.mjs [SUBJECT…], all subjects without one.

import { mkdirSync, rmSync } from "node:fs";
import path from "node:path";
import { Cases } from "./cases.mjs";
import { launch } from "./chromium.mjs";
import { screenshots } from "./packages.mjs";
import { stopAll } from "./program.mjs";
import { Servers } from "./servers.mjs";

/** Longest time of the whole run, in milliseconds; on a quiet machine it takes a quarter of it. */
const RUN_MS = 600_000;

// In this order: what comes later looks at what went before.
const SUBJECTS = [
    "receivers",
    "set_up",
    "agents",
    "sign_in",
    "keys",
    "alerts",
    "monitoring",
    "every_page",
    "keyboard",
    "cross_site",
    "large_fleet",
    "alerts_arrive",
    "alert_resolves",
    "secrets",
];
const asked = process.argv.slice(2);
const subjects = SUBJECTS.filter((name) => asked.length === 0 || asked.includes(name));

const cases = new Cases();
const servers = new Servers();
let browser = null;

async function end(code) {
    await browser?.close().catch(() => {});
    await stopAll();
    process.exit(code);
}

setTimeout(() => {
    console.log(`FAILED  the run ends within ${RUN_MS / 1000} s`);
    cases.failed += 1;
    cases.close();
    end(1);
}, RUN_MS).unref();
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => end(130));

// Playwright's waiting for a page that a failed case has left is nobody's any more.
process.on("unhandledRejection", (reason) => console.log(`        left over: ${String(reason).split("\n")[0]}`));

if (asked.length === 0) rmSync(screenshots, { recursive: true, force: true });
mkdirSync(screenshots, { recursive: true });
browser = await launch();
cases.onFailure = async (sentence) => {
    const name = sentence.replace(/[^a-z0-9]+/gi, "-").slice(0, 80);
    const open = browser.contexts().flatMap((context) => context.pages());
    for (const [number, page] of open.entries()) {
        await page.screenshot({ path: path.join(screenshots, `failed-${name}-${number}.png`), timeout: 3_000 });
        console.log(`        seen at ${page.url()}: failed-${name}-${number}.png`);
    }
};
for (const name of subjects) {
    cases.begin(name.replaceAll("_", " "));
    try {
        const { default: subject } = await import(`./subjects/${name}.mjs`);
        await subject({ it: cases.it, browser, servers });
    } catch (error) {
        await cases.it(`${name} comes to its end`, () => Promise.reject(error));
    }
    // Nothing that one subject opened is in the way of the next.
    await Promise.all(browser.contexts().map((context) => context.close()));
}
await end(cases.close() ? 0 : 1);
