// An API key from its making to its end.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { eventually, nothing } from "../cases.mjs";
import { taken } from "../chromium.mjs";
import { settled, signedIn } from "../visitor.mjs";

const run = promisify(execFile);
const NAME = "browser tests";
/** How soon a revoked key is refused, in milliseconds. */
const REVOKED_MS = 1_000;

export default async function keys({ it, browser, servers }) {
    const service = await servers.service();
    const permissions = ["clipboard-read", "clipboard-write"];
    const { page, faults } = await signedIn(browser, service, service.owner, { permissions });
    const settings = `${service.url}/dashboard/settings/alerts`;
    let key;
    let successor;

    await it("a new key is shown once, with a button that copies it and a curl line that works", async () => {
        await page.goto(settings);
        await page.getByRole("button", { name: "New key" }).click();
        const form = page.getByRole("dialog", { name: "New API key" });
        await form.getByLabel("Name").fill(NAME);
        await form.getByLabel("speed tests").uncheck();
        await form.getByLabel("traceroutes").uncheck();
        await form.getByRole("button", { name: "Make key" }).click();
        const shown = page.getByRole("dialog", { name: "Your new API key" });
        await shown.waitFor();
        key = servers.secret("a key", await shown.locator("#key-text").innerText(), { once: true });
        assert.match(key, /^astra_[0-9A-Za-z]{36}$/);
        await shown.getByRole("button", { name: "Copy the key" }).click();
        await shown.getByText("Copied").waitFor();
        assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);
        const line = await shown.locator("#key-curl").innerText();
        const { stdout } = await run("bash", ["-c", `${line} --silent --write-out '\\n%{http_code}'`]);
        const [body, status] = stdout.split("\n");
        assert.equal(status, "200", line.replace(key, "…"));
        assert.equal(JSON.parse(body).total, service.agents);
        await shown.getByRole("button", { name: "I have kept it" }).click();
        await shown.waitFor({ state: "hidden" });
        await rowOf(page, "live").waitFor();
        assert.ok(!(await page.content()).includes(key), "the page has forgotten it");
    });

    await it("the key reads what was chosen and nothing else, and the page shows that it was used", async () => {
        assert.deepEqual(
            await Promise.all(
                ["agents", "metrics", "speedtests", "traceroutes"].map((what) => asked(service, key, what)),
            ),
            [200, 200, 403, 403],
        );
        await eventually("the last use", async () => {
            await page.goto(settings);
            return !/never/.test(await rowOf(page, "live").locator('[data-label="Last use"]').innerText());
        });
        const row = rowOf(page, "live");
        assert.match(await row.innerText(), new RegExp(`${key.slice(0, 10)}…`), "its hint");
        assert.match(await row.getByRole("img").getAttribute("aria-label"), /\d/, "its use over 24 hours");
    });

    await it("a rolled key and its successor both work while they overlap", async () => {
        await settled(page);
        await rowOf(page, "live").getByRole("button", { name: "Roll" }).click();
        const form = page.getByRole("dialog", { name: "Roll API key" });
        await form.getByLabel("Hours that the old key lives on").fill("2");
        await form.getByRole("button", { name: "Roll key" }).click();
        const shown = page.getByRole("dialog", { name: "Your new API key" });
        await shown.waitFor();
        successor = servers.secret("a rolled key", await shown.locator("#key-text").innerText(), { once: true });
        assert.notEqual(successor, key);
        assert.deepEqual(
            [await asked(service, key, "agents"), await asked(service, successor, "agents")],
            [200, 200],
        );
        await shown.getByRole("button", { name: "I have kept it" }).click();
        await rowOf(page, "ends soon").waitFor();
        await rowOf(page, "live").waitFor();
    });

    await it(`a revoked key is refused within ${REVOKED_MS} ms, after a question; the other one goes on`, async () => {
        await settled(page);
        const revoke = rowOf(page, "live").getByRole("button", { name: "Revoke" });
        await revoke.click();
        const question = page.getByRole("dialog").filter({ hasText: NAME });
        await question.getByRole("button", { name: "Cancel" }).click();
        assert.equal(await asked(service, successor, "agents"), 200, "Cancel changes nothing");
        await revoke.click();
        const answered = page.waitForResponse((answer) => answer.request().method() === "DELETE");
        await question.getByRole("button", { name: "Revoke" }).click();
        assert.equal((await answered).status(), 200);
        const start = Date.now();
        await eventually(
            "the refusal",
            async () => (await asked(service, successor, "agents")) === 401,
            REVOKED_MS,
            10,
        );
        const told = `${Date.now() - start} ms`;
        assert.equal(await asked(service, key, "agents"), 200);
        await page.getByText("1 ended key").waitFor();
        return told;
    });

    await it("a viewer sees the keys, and can neither make nor end one", async () => {
        const viewer = await signedIn(browser, service, service.viewer);
        await viewer.page.goto(settings);
        await rowOf(viewer.page, "ends soon").waitFor();
        assert.equal(
            await viewer.page
                .locator("main")
                .getByRole("button", { name: /new key|roll|revoke/i })
                .count(),
            0,
        );
        const status = await viewer.page.evaluate(async () => {
            const token = document.querySelector('meta[name="csrf-token"]').content;
            const headers = { "content-type": "application/json", "x-astra-csrf": token };
            const body = JSON.stringify({ name: "x", permissions: ["read:agents"] });
            return (await fetch("/dashboard/settings/alerts/keys", { method: "POST", headers, body })).status;
        });
        assert.equal(status, 403);
        await viewer.context.close();
    });

    await it("nothing of this is a fault to the browser", async () => nothing(taken(faults)));
}

/** The row of the key made here that is in this state. */
function rowOf(page, state) {
    return page.locator("#keys table.keys").getByRole("row").filter({ hasText: NAME }).filter({ hasText: state });
}

async function asked(service, key, what) {
    const answer = await fetch(`${service.url}/api/v1/${what}?limit=1`, {
        headers: { authorization: `Bearer ${key}` },
    });
    await answer.arrayBuffer();
    return answer.status;
}
