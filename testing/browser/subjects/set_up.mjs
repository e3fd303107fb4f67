// From an empty folder to the first owner.

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { nothing } from "../cases.mjs";
import { taken, watchedPage } from "../chromium.mjs";
import { sessionCookie } from "../visitor.mjs";

export const OWNER = { email: "ada@example.net", password: "an owner's first password" };

export default async function setUp({ it, browser, servers }) {
    const empty = await servers.empty("empty");
    const file = path.join(empty.data, "setup-link");
    servers.secret("the first owner's password", OWNER.password);
    let link;

    await it("the set-up link is in a file that only its owner reads; the log names the file alone", async () => {
        assert.equal((statSync(file).mode & 0o777).toString(8), "600");
        link = new URL(readFileSync(file, "utf8").trim());
        servers.secret("the set-up token", link.hash.slice(1));
        assert.ok(Buffer.from(link.hash.slice(1), "base64url").length >= 16, "128 bits");
        assert.ok(empty.said.includes(file), "the log says where it is");
    });

    const { origin } = link;
    const { context, page, faults } = await watchedPage(browser, origin);

    await it("until then every page leads to the set-up", async () => {
        await page.goto(`${origin}/dashboard`);
        assert.equal(new URL(page.url()).pathname, "/dashboard/set-up");
    });

    await it("another token makes nobody an owner, and the page says so", async () => {
        await page.goto(link.href.replace(/#.*/, `#${"A".repeat(link.hash.length - 1)}`));
        await fill(page);
        const alert = page.getByRole("alert").filter({ hasText: /\w/ });
        await alert.waitFor();
        assert.equal(await sessionCookie(context), undefined);
        taken(faults);
        return alert.innerText();
    });

    await it("the link makes the first owner, who is signed in and told what comes next", async () => {
        await page.goto("about:blank");
        await page.goto(link.href);
        await fill(page);
        await page.waitForURL(`${origin}/dashboard`);
        servers.secret("the first owner's cookie", (await sessionCookie(context)).value);
        await page.getByText("No agents yet").waitFor();
    });

    await it("it makes no second one", async () => {
        const form = {
            token: link.hash.slice(1),
            account: "again",
            email: "eve@example.net",
            password: OWNER.password,
        };
        const headers = { "content-type": "application/json" };
        const answer = await fetch(`${origin}/auth/v1/setup`, {
            method: "POST",
            headers,
            body: JSON.stringify(form),
        });
        assert.equal(answer.status, 410);
        const stranger = await watchedPage(browser, origin);
        await stranger.page.goto(link.href);
        assert.equal(await stranger.page.getByLabel("Account").count(), 0, "no form any more");
        await stranger.context.close();
        return (await answer.json()).error;
    });

    await it("nothing of this is a fault to the browser", async () => nothing(taken(faults)));
}

async function fill(page) {
    await page.getByLabel("Account").fill("Example Networks");
    await page.getByLabel("E-mail").fill(OWNER.email);
    for (const field of await page.getByLabel(/password/i).all()) await field.fill(OWNER.password);
    await page.locator("form[data-send] button[type=submit]").click();
}
