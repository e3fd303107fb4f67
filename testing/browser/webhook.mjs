// A web server that takes what webhooks bring and keeps it.

import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import http from "node:http";

/** Listens on loopback and answers with 200, but for the deliveries that it is told to `refuse`. */
export async function webhookReceiver() {
    const deliveries = [];
    const left = [];
    const server = http.createServer((request, response) => {
        const parts = [];
        request.on("data", (part) => parts.push(part));
        request.on("end", () => {
            const body = Buffer.concat(parts);
            const status = left.shift() ?? 200;
            deliveries.push({
                at: Date.now(),
                method: request.method,
                path: request.url,
                headers: request.headers,
                body,
                status,
            });
            response.writeHead(status, { connection: "close" }).end();
        });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    server.unref();
    return {
        deliveries,
        /** The status codes of the next deliveries. */
        refuse: (statuses) => left.push(...statuses),
        url: `http://127.0.0.1:${server.address().port}/hook`,
        close: () => {
            server.closeAllConnections();
            server.close();
        },
    };
}

/** Whether the header `t=<seconds>,v1=<hex>` is made of this body with this secret, within five minutes from now. */
export function signedBy(secret, header, body) {
    const [, seconds, hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(header ?? "") ?? [];
    if (!hex || Math.abs(Date.now() / 1000 - Number(seconds)) > 300) return false;
    const expected = createHmac("sha256", secret).update(`${seconds}.`).update(body).digest();
    return timingSafeEqual(expected, Buffer.from(hex, "hex"));
}
