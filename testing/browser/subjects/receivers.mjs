// The receivers and the attacks that other subjects rely on do find what they look for.

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { seriousViolations } from "../accessibility.mjs";
import { watchedPage } from "../chromium.mjs";
import { foreignOrigins, includeEveryWay, postForms, sendEveryWay } from "../origins.mjs";
import { bodyOf, smtpSink } from "../smtp.mjs";
import { webhookReceiver } from "../webhook.mjs";

export default async function receivers({ it, browser }) {
    await it("the webhook receiver keeps what arrives and refuses as often as it is told", async () => {
        const receiver = await webhookReceiver();
        receiver.refuse([500]);
        const statuses = [];
        for (const body of ["one", "two"]) {
            statuses.push((await fetch(receiver.url, { method: "POST", body, headers: { "x-mark": body } })).status);
        }
        receiver.close();
        assert.deepEqual(statuses, [500, 200]);
        assert.deepEqual(
            receiver.deliveries.map(({ body }) => String(body)),
            ["one", "two"],
        );
        assert.equal(receiver.deliveries[1].headers["x-mark"], "two");
    });

    await it("the mail sink keeps a message with its envelope and undoes its encoding", async () => {
        const sink = await smtpSink();
        const socket = net.connect(sink.port, "127.0.0.1");
        const lines = ["EHLO here", "MAIL FROM:<a@example.net>", "RCPT TO:<b@example.net>", "DATA"];
        const message = [
            "Subject: x",
            "Content-Transfer-Encoding: quoted-printable",
            "",
            "caf=C3=A9 =",
            "ok",
            "..",
            ".",
        ];
        socket.setEncoding("utf8").on("data", () => {
            const line = lines.shift();
            if (line) socket.write(`${line}\r\n`);
            else if (message.length > 0)
                socket.write(
                    message
                        .splice(0)
                        .map((each) => `${each}\r\n`)
                        .join(""),
                );
            else if (socket.writable) socket.end("QUIT\r\n");
        });
        await once(socket, "close");
        sink.close();
        assert.equal(sink.messages.length, 1);
        assert.deepEqual([sink.messages[0].from, sink.messages[0].to], ["a@example.net", ["b@example.net"]]);
        assert.equal(bodyOf(sink.messages[0].text), "café ok\n.");
    });

    await it("axe-core finds a fault in spite of a Content-Security-Policy", async () => {
        const server = http.createServer((_, response) => {
            const policy = "default-src 'none'; require-trusted-types-for 'script'";
            response.writeHead(200, { "content-type": "text/html", "content-security-policy": policy });
            response.end(
                "<!doctype html><html lang=en><title>x</title><main><h1>Faulty</h1><button></button></main></html>",
            );
        });
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        const { context, page } = await watchedPage(browser, `http://127.0.0.1:${server.address().port}`);
        await page.goto(`http://127.0.0.1:${server.address().port}/`);
        const found = await seriousViolations(page);
        await context.close();
        server.closeAllConnections();
        server.close();
        assert.equal(found.length, 1, found.join("\n"));
        assert.match(found[0], /^critical: button-name/);
    });

    await it("the attacks read and change a server that takes no care", async () => {
        const careless = await carelessServer();
        const foreign = await foreignOrigins();
        const { context, page } = await watchedPage(browser, careless.url);
        await page.goto(`${careless.url}/`);
        await page.goto(foreign.places[0].url);
        const url = `${careless.url}/secret`;
        const read = await page.evaluate(sendEveryWay, [{ url, method: "GET" }]);
        const posted = await page.evaluate(sendEveryWay, [{ url, method: "POST", json: { name: "x" } }]);
        await page.evaluate(postForms, [{ url, json: { name: "x" } }]);
        const included = await page.evaluate(includeEveryWay, [{ url: `${careless.url}/script` }]);
        await context.close();
        careless.close();
        foreign.close();
        assert.equal(read.length, 3, read.join("\n"));
        assert.equal(posted.length, 3, posted.join("\n"));
        const types = careless.changes.map((each) => each.type);
        for (const type of [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "application/json",
        ]) {
            assert.ok(
                types.some((each) => each?.startsWith(type)),
                `${type} arrived: ${types}`,
            );
        }
        assert.ok(
            careless.changes.every((each) => each.cookie === "session=1"),
            "all with the cookie",
        );
        assert.ok(
            careless.changes.some(({ body }) => body.startsWith('{"name":"x","ignored":"="}')),
            "JSON in a form",
        );
        assert.ok(
            included.some((leak) => leak.startsWith("script:")),
            included.join("\n"),
        );
        assert.ok(
            included.some((leak) => leak === "names in the page: leaked"),
            included.join("\n"),
        );
    });
}

/** Believes its cookie alone and lets every origin read. */
async function carelessServer() {
    const changes = [];
    const server = http.createServer((request, response) => {
        const { origin, cookie } = request.headers;
        if (origin) response.setHeader("access-control-allow-origin", origin);
        response.setHeader("access-control-allow-credentials", "true");
        response.setHeader("access-control-allow-headers", "content-type, x-astra-csrf");
        response.setHeader("content-type", request.url === "/script" ? "text/javascript" : "text/html");
        if (request.url === "/") response.setHeader("set-cookie", "session=1; Path=/; HttpOnly; SameSite=Lax");
        let body = "";
        request.setEncoding("utf8").on("data", (part) => (body += part));
        request.on("end", () => {
            if (request.method === "POST") changes.push({ cookie, body, type: request.headers["content-type"] });
            response.end(request.url === "/script" ? "var leaked = 1;" : "<p>all that there is</p>");
        });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
        changes,
        url: `http://127.0.0.1:${server.address().port}`,
        close: () => {
            server.closeAllConnections();
            server.close();
        },
    };
}
