// A web server that takes what webhooks bring and keeps it.

import { once } from "node:events";
import http from "node:http";

/** Listens on loopback; `answers` are the status codes of the first deliveries, 200 after them. */
export async function webhookReceiver(answers = []) {
    const deliveries = [];
    const left = [...answers];
    const server = http.createServer((request, response) => {
        const parts = [];
        request.on("data", (part) => parts.push(part));
        request.on("end", () => {
            const body = Buffer.concat(parts);
            const status = left.shift() ?? 200;
            deliveries.push({ at: Date.now(), method: request.method, path: request.url, headers: request.headers, body, status });
            response.writeHead(status, { connection: "close" }).end();
        });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    server.unref();
    return {
        deliveries,
        url: `http://127.0.0.1:${server.address().port}/hook`,
        close: () => {
            server.closeAllConnections();
            server.close();
        },
    };
}
