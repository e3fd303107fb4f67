// Starts the program under test: each on a port of its own, with a folder of its own, ended by its own process id.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { program } from "./packages.mjs";

const running = new Set();
const folder = mkdtempSync(path.join(os.tmpdir(), "astranetmon-browser-"));
let folders = 0;

// However this process ends, nothing of it is left.
process.on("exit", () => {
    running.forEach((run) => run.process.kill("SIGKILL"));
    rmSync(folder, { recursive: true, force: true });
});

/** A new empty folder that goes away with the run. */
export function newFolder(name) {
    folders += 1;
    const made = path.join(folder, `${folders}-${name}`);
    mkdirSync(made, { mode: 0o700 });
    return made;
}

/** A port that nobody listens on now. */
export async function freePort() {
    const server = net.createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
}

/** One process of the program, with what it has written. */
class Running {
    output = "";
    log = "";

    constructor(binary, args, settings) {
        const { PATH, HOME, TZ, LANG } = process.env;
        const environment = Object.fromEntries(
            Object.entries(settings).map(([name, value]) => [`ASTRANETMON_${name.toUpperCase()}`, String(value)]),
        );
        this.what = [path.basename(binary), ...args].join(" ");
        this.process = spawn(binary, args, {
            env: { PATH, HOME, ...(TZ && { TZ }), ...(LANG && { LANG }), ...environment },
            stdio: ["ignore", "pipe", "pipe"],
        });
        running.add(this);
        this.ended = new Promise((resolve) => {
            this.process.on("error", (error) => resolve(`cannot start: ${error.message}`));
            this.process.on("close", (code, signal) => resolve(signal ?? code));
        }).then((status) => {
            running.delete(this);
            this.status = status;
            return status;
        });
        this.process.stdout.setEncoding("utf8").on("data", (text) => (this.output += text));
        this.process.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    }

    /** Everything it has said. */
    get said() {
        return this.output + this.log;
    }

    /** The log's lines from an earlier length of it on, those that are JSON. */
    logLines(from = 0) {
        return this.said
            .slice(from)
            .split("\n")
            .flatMap((line) => {
                try {
                    return [JSON.parse(line)];
                } catch {
                    return [];
                }
            });
    }

    /** What `find` finds in what it says, once it does. */
    async says(find, limit = 60_000) {
        const end = Date.now() + limit;
        for (;;) {
            const found = find(this);
            if (found) return found;
            if ("status" in this)
                throw new Error(`${this.what} has ended (${this.status}):\n${this.said.slice(-2000)}`);
            if (Date.now() > end) throw new Error(`${this.what} is not ready:\n${this.said.slice(-2000)}`);
            await new Promise((resolve) => setTimeout(resolve, 25));
        }
    }

    async stop() {
        if ("status" in this) return this.status;
        this.process.kill("SIGTERM");
        const timer = setTimeout(() => this.process.kill("SIGKILL"), 8_000);
        const status = await this.ended;
        clearTimeout(timer);
        return status;
    }
}

/** Runs a command to its end; its standard output. */
export async function command(args, settings = {}, binary = program) {
    const run = new Running(binary, args, settings);
    const status = await run.ended;
    if (status !== 0) throw new Error(`${run.what}: ${status}\n${run.said.slice(-2000)}`);
    return run.output;
}

/** `serve` on the database in `data`, on free ports; settings by their names in the environment. */
export async function serve(data, settings = {}) {
    const metricsPort = await freePort();
    const run = new Running(program, ["serve"], {
        listen: "127.0.0.1:0",
        metrics_listen: `127.0.0.1:${metricsPort}`,
        database_url: `sqlite://${path.join(data, "astranetmon.sqlite3")}`,
        log_format: "json",
        ...settings,
    });
    const address = await run.says(() => run.logLines().find((line) => line.message === "serving")?.address);
    return Object.assign(run, { url: address, metricsUrl: `http://127.0.0.1:${metricsPort}/metrics`, data });
}

/** The demonstration in the folder `data`; `owner` is who may sign in. */
export async function demo(data, settings = {}) {
    const args = ["demo", "--listen", "127.0.0.1:0", "--data", data, "--format", "json"];
    const run = new Running(program, args, settings);
    const line = await run.says(() => run.output.includes("\n") && run.output.split("\n")[0]);
    const { url, keys, owner } = JSON.parse(line);
    return Object.assign(run, { url, keys, owner, data });
}

/** A person of an account, with the password given. */
export async function addPerson(data, account, role, email, password) {
    const file = path.join(newFolder("password"), "password");
    writeFileSync(file, `${password}\n`, { mode: 0o600 });
    const settings = { database_url: `sqlite://${path.join(data, "astranetmon.sqlite3")}` };
    await command(["user", "create", email, "--account", account, "--role", role, "--password-file", file], settings);
    return { email, password };
}

/** Ends every process started here. */
export async function stopAll() {
    await Promise.all([...running].map((run) => run.stop()));
}
