// Sessions as the browser sees them.

import assert from "node:assert/strict";
import { nothing } from "../cases.mjs";
import { taken, watchedPage } from "../chromium.mjs";
import { SESSION_COOKIE, fetchWithCookie, fillSignIn, sessionCookie, signedIn } from "../visitor.mjs";

export default async function signIn({ it, browser, servers }) {
    const service = await servers.service();
    const { context, page, faults } = await watchedPage(browser, service.url);
    let cookie;

    await it("a page that asks for a session leads to the sign-in and back to itself", async () => {
        await page.goto(`${service.url}/dashboard/speedtests`);
        assert.equal(new URL(page.url()).pathname, "/dashboard/sign-in");
        await fillSignIn(page, service.owner);
        await page.waitForURL(`${service.url}/dashboard/speedtests`);
        cookie = await sessionCookie(context);
        servers.secret("a session's cookie", cookie.value);
    });

    await it("the session's cookie is for this host alone, secure, and out of the reach of scripts", async () => {
        const { name, domain, path, httpOnly, secure, sameSite, expires, value } = cookie;
        const expected = {
            name: SESSION_COOKIE,
            domain: "127.0.0.1",
            path: "/",
            httpOnly: true,
            secure: true,
            sameSite: "Lax",
        };
        assert.deepEqual({ name, domain, path, httpOnly, secure, sameSite }, expected);
        assert.ok(Buffer.from(value, "base64url").length >= 32, "256 bits");
        assert.equal(await page.evaluate(() => document.cookie), "");
        assert.equal(await page.evaluate(() => globalThis.cookieStore?.getAll().then((all) => all.length) ?? 0), 0);
        return expires === -1
            ? "ends with the browser"
            : `kept ${Math.round((expires - Date.now() / 1000) / 60)} min`;
    });

    await it("a sign-in makes a session of its own and ends the one it came with", async () => {
        await page.goto(`${service.url}/dashboard/sign-in`);
        if (new URL(page.url()).pathname === "/dashboard/sign-in") {
            await fillSignIn(page, service.owner);
            await page.waitForURL(`${service.url}/dashboard`);
            const next = await sessionCookie(context);
            servers.secret("a second session's cookie", next.value);
            assert.notEqual(next.value, cookie.value);
            assert.equal((await fetchWithCookie(service, "/auth/v1/session", cookie)).status, 401);
            cookie = next;
        }
    });

    await it("a wrong password and an unknown address are told in the same words, without a session", async () => {
        const stranger = await watchedPage(browser, service.url);
        const words = [];
        for (const person of [
            { email: service.owner.email, password: "not the owner's password" },
            { email: "nobody@example.net", password: "not the owner's password" },
        ]) {
            await stranger.page.goto(`${service.url}/dashboard/sign-in`);
            await fillSignIn(stranger.page, person);
            const alert = stranger.page.getByRole("alert").filter({ hasText: /\w/ });
            await alert.waitFor();
            words.push(await alert.innerText());
        }
        assert.equal(words[0], words[1]);
        assert.equal(await sessionCookie(stranger.context), undefined);
        await stranger.context.close();
        return words[0];
    });

    await it("signing out ends the session: its cookie opens nothing any more", async () => {
        assert.equal((await fetchWithCookie(service, "/auth/v1/session", cookie)).status, 200);
        await page.getByRole("button", { name: "Sign out" }).click();
        await page.waitForURL(`${service.url}/dashboard/sign-in`);
        assert.equal(await sessionCookie(context), undefined);
        for (const path of ["/auth/v1/session", "/api/v1/agents", "/dashboard/data/fleet"]) {
            assert.equal((await fetchWithCookie(service, path, cookie)).status, 401, path);
        }
        await page.goBack();
        await page.waitForURL(/sign-in/);
        await page.goto(`${service.url}/dashboard`);
        assert.equal(new URL(page.url()).pathname, "/dashboard/sign-in");
    });

    await it("a session that is ended elsewhere is over in this browser at once", async () => {
        const here = await signedIn(browser, service, service.owner);
        const there = await signedIn(browser, service, service.owner);
        servers.secret("a third session's cookie", (await sessionCookie(here.context)).value);
        await there.page.goto(`${service.url}/dashboard/settings/sessions`);
        await there.page
            .getByRole("button", { name: /^End (?!all)/ })
            .first()
            .click();
        const ended = there.page.waitForResponse((answer) => answer.request().method() === "DELETE");
        await there.page.getByRole("dialog").getByRole("button", { name: "End session" }).click();
        assert.ok((await ended).ok());
        await here.page.goto(`${service.url}/dashboard`);
        assert.equal(new URL(here.page.url()).pathname, "/dashboard/sign-in");
        await Promise.all([here.context.close(), there.context.close()]);
    });

    await it("nothing of this is a fault to the browser", async () => nothing(taken(faults)));
}
