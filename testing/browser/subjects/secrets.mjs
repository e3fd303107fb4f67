// What the subjects before this one used in secret has stayed so.

import assert from "node:assert/strict";
import { answers } from "../chromium.mjs";

export default async function secrets({ it, servers }) {
    const found = (text) => servers.secrets.filter((secret) => text.includes(secret.text));
    const names = (list) => list.map(({ name }) => name);

    await it("no log holds a password, a cookie, a key or a set-up token", async () => {
        let length = 0;
        for (const server of servers.all) {
            // The demonstration tells its keys and its password on its first line, for whoever started it.
            const output = server.name === "demo" ? server.output.split("\n").slice(1).join("\n") : server.output;
            length += output.length + server.log.length;
            assert.deepEqual(names(found(output + server.log)), [], server.name);
        }
        assert.ok(servers.secrets.length > 0 && length > 0, "there is something to look for, and in");
        return `${servers.secrets.length} secrets, ${length} bytes`;
    });

    await it("no metric holds one", async () => {
        for (const server of servers.all.filter(({ metricsUrl }) => metricsUrl)) {
            const text = await (await fetch(server.metricsUrl)).text();
            assert.match(text, /astranetmon_build_info/);
            assert.deepEqual(names(found(text)), [], server.name);
        }
    });

    await it("no answer to the browser holds one, but for the one that shows a new key or secret", async () => {
        for (const { name, text, once } of servers.secrets) {
            const holding = answers.filter(({ body }) => body.includes(text));
            const told = holding.map(({ method, url, status }) => `${name}: ${method} ${url} ${status}`);
            assert.ok(holding.length <= (once ? 1 : 0), told.join("\n"));
        }
        return `${answers.length} answers`;
    });
}
