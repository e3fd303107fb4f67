// A mail server that takes every message and keeps it: just enough of RFC 5321 for a client without TLS.

import { once } from "node:events";
import net from "node:net";

/** Listens on loopback; `messages` holds `{ from, to, text }` of each. */
export async function smtpSink() {
    const messages = [];
    const sockets = new Set();
    const server = net.createServer((socket) => {
        sockets.add(socket);
        socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
        converse(socket, messages);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    server.unref();
    return {
        messages,
        port: server.address().port,
        close: () => {
            sockets.forEach((socket) => socket.destroy());
            server.close();
        },
    };
}

function converse(socket, messages) {
    const say = (line) => socket.write(`${line}\r\n`);
    let envelope = { from: "", to: [] };
    let lines = null;
    let rest = "";

    const command = (line) => {
        const [verb] = line.toUpperCase().split(/[ :]/, 1);
        const address = /<([^>]*)>/.exec(line)?.[1] ?? "";
        switch (verb) {
            case "EHLO":
                return say("250-sink.localhost\r\n250-8BITMIME\r\n250 SMTPUTF8");
            case "HELO":
            case "NOOP":
                return say("250 ok");
            case "MAIL":
                envelope = { from: address, to: [] };
                return say("250 ok");
            case "RCPT":
                envelope.to.push(address);
                return say("250 ok");
            case "RSET":
                envelope = { from: "", to: [] };
                return say("250 ok");
            case "DATA":
                lines = [];
                return say("354 end with a dot");
            case "QUIT":
                say("221 bye");
                return socket.end();
            default:
                return say("502 not known here");
        }
    };

    say("220 sink.localhost ESMTP");
    socket.setEncoding("utf8").on("data", (text) => {
        const parts = (rest + text).split("\r\n");
        rest = parts.pop();
        for (const line of parts) {
            if (lines === null) command(line);
            else if (line === ".") {
                messages.push({ ...envelope, text: lines.join("\n") });
                lines = null;
                say("250 taken");
            } else lines.push(line.startsWith(".") ? line.slice(1) : line);
        }
    });
}

/** The message's body with quoted-printable and base64 undone, all parts one after another. */
export function bodyOf(text) {
    return text
        .split(/\n--[^\n]+\n/)
        .map((part) => {
            const [head, ...body] = part.split("\n\n");
            const content = body.join("\n\n");
            if (/transfer-encoding: *base64/i.test(head)) return Buffer.from(content, "base64").toString();
            if (/transfer-encoding: *quoted-printable/i.test(head)) return unquoted(content);
            return content;
        })
        .join("\n");
}

function unquoted(text) {
    const bytes = text
        .replace(/=\n/g, "")
        .replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    return Buffer.from(bytes, "latin1").toString();
}
