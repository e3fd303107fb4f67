// Pages of other origins, and what they may try with a signed-in browser.

import { once } from "node:events";
import http from "node:http";

const BLANK = "<!doctype html><html lang=en><title>elsewhere</title><body></body></html>";

/**
 * Serves pages that are not the dashboard's. `places` names each and gives its address; the server that is attacked
 * listens on 127.0.0.1, so another port of that is the same site, and `localhost` is another site.
 */
export async function foreignOrigins() {
    const server = http.createServer((request, response) => {
        response.setHeader("content-type", "text/html; charset=utf-8");
        if (request.url === "/null")
            response.setHeader("content-security-policy", "sandbox allow-scripts allow-forms allow-popups");
        response.end(BLANK);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    server.unref();
    const { port } = server.address();
    return {
        places: [
            {
                name: "another port of the same host",
                url: `http://127.0.0.1:${port}/`,
                origin: `http://127.0.0.1:${port}`,
            },
            { name: "another site", url: `http://localhost:${port}/`, origin: `http://localhost:${port}` },
            { name: "the null origin", url: `http://localhost:${port}/null`, origin: "null" },
            { name: "the null origin on the same host", url: `http://127.0.0.1:${port}/null`, origin: "null" },
        ],
        close: () => {
            server.closeAllConnections();
            server.close();
        },
    };
}

/**
 * Runs in the foreign page: every way to send `method url` with the browser's cookies; the bytes that each could read.
 * An empty list is what a careful server leaves.
 */
export async function sendEveryWay(list) {
    const attempt = async ({ url, method, json }) => {
        const leaks = [];
        const read = (way, text) => text && leaks.push(`${way}: ${text.length} bytes of ${method} ${url}`);
        const plain = { "content-type": "text/plain" };
        const simple = { "content-type": "application/x-www-form-urlencoded" };
        const strict = { "content-type": "application/json", "x-astra-csrf": "A".repeat(43) };
        const ways = [
            ["no-cors, text/plain", { mode: "no-cors", headers: plain }],
            ["no-cors, form", { mode: "no-cors", headers: simple }],
            ["cors, text/plain", { mode: "cors", headers: plain }],
            ["cors, application/json and a made-up token", { mode: "cors", headers: strict }],
            ["cors, no body", { mode: "cors", bodiless: true }],
        ];
        for (const [way, { bodiless, ...options }] of ways) {
            const body = bodiless || ["GET", "HEAD"].includes(method) ? undefined : JSON.stringify(json ?? {});
            if (options.mode === "no-cors" && !["GET", "HEAD", "POST"].includes(method)) continue;
            try {
                const answer = await fetch(url, {
                    method,
                    credentials: "include",
                    redirect: "follow",
                    body,
                    ...options,
                });
                read(way, await answer.text());
            } catch {
                // Refused by the browser: nothing was read.
            }
        }
        if (method === "POST")
            navigator.sendBeacon(url, new Blob([JSON.stringify(json ?? {})], { type: "text/plain" }));
        return leaks;
    };
    return (await Promise.all(list.map(attempt))).flat();
}

/** Runs in the foreign page: posts forms of every encoding to `url` into a frame; the bytes that could be read. */
export async function postForms(list) {
    const attempt = async ({ url, json }) => {
        const leaks = [];
        const encodings = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];
        for (const encoding of encodings) {
            const frame = document.createElement("iframe");
            frame.name = `frame-${Math.random()}`;
            document.body.append(frame);
            const form = document.createElement("form");
            Object.assign(form, { action: url, method: "POST", enctype: encoding, target: frame.name });
            const field = document.createElement("input");
            if (encoding === "text/plain") {
                // The old trick: the body becomes {"name":"x","ignored":"="}.
                field.name = `${JSON.stringify(json ?? {}).slice(0, -1)},"ignored":"`;
                field.value = '"}';
                form.append(field);
            } else {
                for (const [name, value] of Object.entries(json ?? {})) {
                    const each = document.createElement("input");
                    Object.assign(each, { name, value: String(value) });
                    form.append(each);
                }
            }
            document.body.append(form);
            const loaded = new Promise((resolve) => {
                frame.addEventListener("load", resolve);
                setTimeout(resolve, 1_000);
            });
            form.submit();
            await loaded;
            try {
                const text = frame.contentDocument?.body?.textContent ?? "";
                if (text && frame.contentWindow.location.href !== "about:blank")
                    leaks.push(`form ${encoding}: ${text.length} bytes`);
            } catch {
                // Another origin's document.
            }
        }
        return leaks;
    };
    return (await Promise.all(list.map(attempt))).flat();
}

/** Runs in the foreign page: includes `url` as everything that a page can include; what became readable. */
export async function includeEveryWay(list) {
    const attempt = async ({ url }) => {
        const leaks = [];
        const before = new Set(Object.getOwnPropertyNames(window));
        const included = (tag, attributes) =>
            new Promise((resolve) => {
                const element = Object.assign(document.createElement(tag), attributes);
                element.addEventListener("load", () => resolve([element, true]));
                element.addEventListener("error", () => resolve([element, false]));
                document.body.append(element);
                setTimeout(() => resolve([element, false]), 1_000);
            });
        const [image, shown] = await included("img", { src: url });
        if (shown || image.naturalWidth > 0) leaks.push(`img: ${url} is ${image.naturalWidth} wide`);
        const [, ran] = await included("script", { src: url });
        if (ran) leaks.push(`script: ${url} ran`);
        const [style, styled] = await included("link", { rel: "stylesheet", href: url });
        if (styled) leaks.push(`stylesheet: ${url} applied ${style.sheet ? "with rules" : ""}`);
        for (const tag of ["iframe", "object", "embed"]) {
            const [element] = await included(tag, tag === "object" ? { data: url } : { src: url });
            try {
                const text = element.contentDocument?.documentElement?.textContent;
                if (text) leaks.push(`${tag}: ${text.length} bytes of ${url}`);
            } catch {
                // Another origin's document.
            }
        }
        // Frames have numbers for names.
        const after = Object.getOwnPropertyNames(window).filter((name) => !before.has(name) && !/^\d+$/.test(name));
        if (after.length > 0) leaks.push(`names in the page: ${after.join(", ")}`);
        return leaks;
    };
    return (await Promise.all(list.map(attempt))).flat();
}
