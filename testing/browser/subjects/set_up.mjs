// From an empty folder to the first owner.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { taken, watchedPage } from "../chromium.mjs";
import { sessionCookie } from "../visitor.mjs";

const OWNER = { email: "ada@example.net", password: "an owner's first password" };

export default async function setUp({ it, browser, servers }) {
    const empty = await servers.empty("empty");
    const { context, page, faults } = await watchedPage(browser, empty.url);
    servers.secret("the first owner's password", OWNER.password);
    let token;

    await it("the set-up token is in a file that only its owner reads; the log names the file alone", async () => {
        const file = readdirSync(empty.data).find((name) => /set-?up/i.test(name));
        assert.ok(file, readdirSync(empty.data).join(", "));
        const { mode } = statSync(path.join(empty.data, file));
        assert.equal((mode & 0o777).toString(8), "600");
        token = servers.secret("the set-up token", readFileSync(path.join(empty.data, file), "utf8").trim());
        assert.match(token, /^\S{22,}$/);
        assert.ok(empty.said.includes(file), "the log says where it is");
    });

    await it("until then every page leads to the set-up", async () => {
        await page.goto(`${empty.url}/dashboard`);
        assert.equal(new URL(page.url()).pathname, "/dashboard/set-up");
    });

    await it("another token makes nobody an owner, and the page says so", async () => {
        await fill(page, { ...OWNER, token: token.replace(/./g, "a") });
        const alert = page.getByRole("alert").filter({ hasText: /\w/ });
        await alert.waitFor();
        assert.equal(await sessionCookie(context), undefined);
        taken(faults);
        return alert.innerText();
    });

    await it("the token makes the first owner, who is signed in and told what comes next", async () => {
        await fill(page, { ...OWNER, token });
        await page.waitForURL(`${empty.url}/dashboard`);
        assert.ok(await sessionCookie(context), "a session");
        await page.getByText("No agents yet").waitFor();
    });

    await it("it makes no second one", async () => {
        const body = JSON.stringify({ token, account: "again", email: "eve@example.net", password: OWNER.password });
        const headers = { "content-type": "application/json" };
        const answer = await fetch(`${empty.url}/auth/v1/setup`, { method: "POST", headers, body });
        assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status}`);
        assert.equal(readdirSync(empty.data).find((name) => /set-?up/i.test(name)), undefined, "the file is gone");
        return `${answer.status}`;
    });

    await it("nothing of this is a fault to the browser", async () => assert.deepEqual(taken(faults), []));
}

async function fill(page, { token, email, password }) {
    await page.getByLabel(/token/i).fill(token);
    await page.getByLabel(/account/i).fill("Example Networks");
    await page.getByLabel(/e-?mail/i).fill(email);
    for (const field of await page.getByLabel(/password/i).all()) await field.fill(password);
    await page.getByRole("button", { name: /set up|create|begin/i }).click();
}
