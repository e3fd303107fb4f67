// The servers that subjects share, each started when first asked for.

import path from "node:path";
import { target } from "./packages.mjs";
import { addPerson, command, copyOf, demo, newFolder, serve } from "./program.mjs";

const MANY = 1_000;

export class Servers {
    #started = new Map();
    /** Everything that has been started, for looking at what it said. */
    all = [];

    /** An empty service, before its set-up. */
    empty(settings) {
        return this.#once("empty", () => serve(newFolder("empty"), settings));
    }

    /** The demonstration, whose agents go on reporting. */
    demo() {
        return this.#once("demo", () => demo(newFolder("demo")));
    }

    /** A service on a database with 1,000 agents, and somebody who may sign in. */
    large() {
        return this.#once("large", async () => {
            const data = newFolder("large");
            const maker = path.join(target, "debug/examples/large_fleet");
            await command([path.join(data, "astranetmon.sqlite3"), String(MANY)], {}, maker);
            const owner = await addPerson(data, "large-fleet", "owner", "owner@large.example", "a fleet of one thousand");
            return Object.assign(await serve(data), { owner, agents: MANY });
        });
    }

    #once(name, start) {
        if (!this.#started.has(name)) {
            const started = start().then((server) => {
                this.all.push(server);
                return Object.assign(server, { name });
            });
            // Whoever waits for it hears of the failure.
            started.catch(() => {});
            this.#started.set(name, started);
        }
        return this.#started.get(name);
    }
}
