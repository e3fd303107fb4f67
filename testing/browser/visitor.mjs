// Somebody at the dashboard.

import { watchedPage } from "./chromium.mjs";

export const SESSION_COOKIE = "__Host-astra_session";

/** Fills in the sign-in form and sends it. */
export async function fillSignIn(page, { email, password }) {
    await page.getByLabel("E-mail", { exact: false }).fill(email);
    await page.getByLabel("Password", { exact: true }).fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
}

/** A watched page of somebody who has signed in by the form, on the overview. */
export async function signedIn(browser, server, person, options) {
    const visitor = await watchedPage(browser, server.url, options);
    await visitor.page.goto(`${server.url}/dashboard/sign-in`);
    await fillSignIn(visitor.page, person);
    await visitor.page.waitForURL(`${server.url}/dashboard`);
    return visitor;
}

/** The session's cookie as the browser holds it; undefined without one. */
export async function sessionCookie(context) {
    return (await context.cookies()).find(({ name }) => name === SESSION_COOKIE);
}

/** What the server answers a program that sends this cookie. */
export async function fetchWithCookie(server, path, cookie, options = {}) {
    const headers = { cookie: `${SESSION_COOKIE}=${cookie.value}`, ...options.headers };
    return fetch(`${server.url}${path}`, { redirect: "manual", ...options, headers });
}

/** Waits until nothing of the page is still to come: its scripts have run and its charts are drawn. */
export async function settled(page) {
    await page.waitForLoadState("load");
    await page.evaluate(() => document.fonts.ready.then(() => undefined));
    await page.waitForFunction(
        () =>
            [...document.querySelectorAll("canvas")].every((canvas) => {
                if (canvas.width === 0 || canvas.height === 0) return canvas.offsetParent === null;
                // Of a copy: a canvas that is read often is drawn otherwise, and warns of it.
                const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {
                    willReadFrequently: true,
                });
                copy.drawImage(canvas, 0, 0);
                return copy.getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value !== 0);
            }),
        null,
        { timeout: 5_000 },
    );
    await page.evaluate(
        () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))),
    );
}

/** For each canvas: its size, its pixels that are not transparent, and how many colours they have. */
export function drawnCharts(page) {
    return page.evaluate(() =>
        [...document.querySelectorAll("canvas")].map((canvas) => {
            const { width, height } = canvas;
            const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
            copy.drawImage(canvas, 0, 0);
            const pixels = new Uint32Array(copy.getImageData(0, 0, width, height).data.buffer);
            const drawn = pixels.filter((pixel) => pixel >>> 24 > 0);
            return { width, height, drawn: drawn.length, colours: new Set(drawn).size };
        }),
    );
}

/** What sticks out to the right of the page, as CSS names it; empty if the page is no wider than the window. */
export function overflow(page) {
    return page.evaluate(() => {
        const width = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= width) return [];
        const named = (element) =>
            [element.localName, ...element.classList].join(".") + (element.id ? `#${element.id}` : "");
        const right = (element) => Math.round(element.getBoundingClientRect().right);
        // What scrolls within a box of its own widens no page.
        const isContained = (element) => {
            for (let above = element.parentElement; above !== document.body; above = above.parentElement) {
                if (getComputedStyle(above).overflowX !== "visible") return true;
            }
            return false;
        };
        return [...document.body.querySelectorAll("*")]
            .filter((element) => right(element) > width + 1 && !isContained(element))
            .slice(0, 3)
            .map((element) => `${named(element)} ends at ${right(element)} of ${width}`);
    });
}
