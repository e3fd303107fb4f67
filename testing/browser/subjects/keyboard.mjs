// Everything without a mouse.

import assert from "node:assert/strict";
import { settled, signedIn } from "../visitor.mjs";

/** Most presses of Tab that any place may be away. */
const PRESSES = 60;

export default async function keyboard({ it, browser, servers }) {
    const demo = await servers.demo();
    const { page } = await signedIn(browser, demo, demo.owner);

    await it("the first Tab offers to skip to the content, which then has the focus", async () => {
        await page.goto(`${demo.url}/dashboard`);
        await settled(page);
        await page.keyboard.press("Tab");
        assert.match(await focused(page), /skip to content/i);
        await page.keyboard.press("Enter");
        assert.equal(await page.evaluate(() => document.activeElement.id), "content");
    });

    await it("Tab reaches each entry of the navigation, every one with a visible focus", async () => {
        await page.goto(`${demo.url}/dashboard`);
        await settled(page);
        const names = await page.getByRole("navigation", { name: "Main" }).getByRole("link").allInnerTexts();
        assert.ok(names.length >= 4, names.join(", "));
        const reached = [];
        for (let press = 0; press < PRESSES && reached.length < names.length; press += 1) {
            await page.keyboard.press("Tab");
            const name = await focused(page);
            if (names.map((each) => each.trim()).includes(name)) {
                reached.push(name);
                assert.ok(await outlined(page), `${name} shows that it has the focus`);
            }
        }
        assert.deepEqual(
            reached,
            names.map((each) => each.trim()),
        );
    });

    await it("Tab reaches a heading of the table, and Enter and Space sort by it", async () => {
        await page.goto(`${demo.url}/dashboard`);
        await settled(page);
        await tabTo(page, "Memory");
        const orders = [];
        for (const key of ["Enter", "Space"]) {
            await page.keyboard.press(key);
            orders.push(await page.locator("#fleet th[data-sort=memory]").getAttribute("aria-sort"));
            assert.equal(await focused(page), "Memory", "the focus stays");
        }
        assert.deepEqual([...orders].sort(), ["ascending", "descending"]);
    });

    await it("a dialog opens by keyboard, holds the focus, and gives it back when Escape closes it", async () => {
        await page.goto(`${demo.url}/dashboard/settings/alerts`);
        await settled(page);
        const opener = page.locator("button[data-open]").first();
        const name = (await opener.innerText()).trim();
        await tabTo(page, name);
        await page.keyboard.press("Enter");
        const dialog = page.locator("dialog[open]");
        await dialog.waitFor();
        for (let press = 0; press < 30; press += 1) {
            await page.keyboard.press("Tab");
            const inside = await page.evaluate(
                () =>
                    document.activeElement === document.body ||
                    document.activeElement.closest("dialog[open]") !== null,
            );
            assert.ok(inside, `after ${press + 1} Tabs: ${await focused(page)}`);
        }
        await page.keyboard.press("Escape");
        await dialog.waitFor({ state: "hidden" });
        assert.equal(await focused(page), name);
    });

    await it("on a narrow window the menu opens by keyboard and its entries follow", async () => {
        await page.setViewportSize({ width: 390, height: 844 });
        await page.goto(`${demo.url}/dashboard`);
        await settled(page);
        await tabTo(page, "Menu");
        await page.keyboard.press("Enter");
        const toggle = page.getByRole("button", { name: "Menu" });
        assert.equal(await toggle.getAttribute("aria-expanded"), "true");
        await tabTo(page, "Speed tests");
        await page.keyboard.press("Enter");
        await page.waitForURL(/speedtests/);
    });
}

/** The name of what has the focus. */
function focused(page) {
    return page.evaluate(() => {
        const element = document.activeElement;
        return (element?.getAttribute("aria-label") ?? element?.innerText ?? "").trim();
    });
}

/** Whether what has the focus looks different for it. */
function outlined(page) {
    return page.evaluate(() => {
        const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(document.activeElement);
        return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
    });
}

async function tabTo(page, name) {
    const passed = [];
    for (let press = 0; press < PRESSES; press += 1) {
        await page.keyboard.press("Tab");
        const here = await focused(page);
        if (here === name) return;
        passed.push(here);
    }
    throw new Error(`${PRESSES} Tabs do not reach ${name}: ${passed.join(" | ").slice(0, 500)}`);
}
