// Debian's Chromium, and contexts that notice what no page may do.

import { chromium } from "./packages.mjs";
import { newFolder } from "./program.mjs";

const ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Whatever a page asks for elsewhere, no look-up leaves this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
];

export async function launch() {
    return chromium.launch({
        executablePath: process.env.ASTRANETMON_TEST_CHROMIUM ?? "/usr/bin/chromium",
        // Chromium's sandbox does not start for root.
        chromiumSandbox: process.getuid() !== 0,
        args: ARGUMENTS,
        // What it leaves behind goes away with the run.
        env: { ...process.env, TMPDIR: newFolder("chromium") },
        timeout: 30_000,
    });
}

/** Every answer that a watched page has got: `{ method, url, status, body }`; bodies of text alone. */
export const answers = [];

/**
 * A page in a browser context of its own. `faults` collects console errors and warnings, uncaught exceptions, failed
 * requests and requests to any other origin than `origin`.
 */
export async function watchedPage(browser, origin, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
    context.setDefaultTimeout(8_000);
    context.setDefaultNavigationTimeout(15_000);
    const faults = [];
    context.on("request", (request) => {
        const url = new URL(request.url());
        if (!["data:", "blob:", "about:"].includes(url.protocol) && url.origin !== new URL(origin).origin) {
            faults.push(`a request to ${url.origin}`);
        }
    });
    context.on("requestfailed", (request) => {
        // A page that is left ends its own requests.
        if (request.failure()?.errorText !== "net::ERR_ABORTED") {
            faults.push(`${request.method()} ${request.url()}: ${request.failure()?.errorText}`);
        }
    });
    context.on("console", (message) => {
        if (["error", "warning"].includes(message.type()))
            faults.push(`console ${message.type()}: ${message.text()}`);
    });
    context.on("weberror", (error) => faults.push(`uncaught: ${error.error()}`));
    context.on("response", async (response) => {
        const type = response.headers()["content-type"] ?? "";
        if (!/text|json|javascript/.test(type)) return;
        const request = response.request();
        // A body is gone once its page is.
        const body = await response.text().catch(() => "");
        answers.push({ method: request.method(), url: response.url(), status: response.status(), body });
    });
    const page = await context.newPage();
    return { context, page, faults };
}

/** The faults so far, which are forgotten by this. */
export function taken(faults) {
    return faults.splice(0);
}
