// The servers that subjects share, each started when first asked for.

import path from "node:path";
import { target } from "./packages.mjs";
import { addPerson, command, demo, newFolder, serve } from "./program.mjs";
import { smtpSink } from "./smtp.mjs";

const MANY = 1_000;
const FEW = 24;

export class Servers {
    #started = new Map();
    /** Everything that has been started, for looking at what it said. */
    all = [];
    /** What must not be told: `{ name, text, once }`; `once` may be shown in one answer. */
    secrets = [];

    /** An empty service, before its set-up; another for each name. */
    empty(name) {
        return this.#once(name, () => serve(newFolder(name)));
    }

    /** The demonstration, whose agents go on reporting. */
    demo() {
        return this.#once("demo", async () => {
            const started = await demo(newFolder("demo"));
            this.secret("the demonstration's password", started.owner.password);
            return started;
        });
    }

    /** A service with some agents, an owner and a viewer, that logs all it has to say and may send alerts to here. */
    service() {
        return this.#once("service", async () => {
            this.mail = await smtpSink();
            return this.#fleet("service", FEW, {
                log_level: "debug",
                alerts_interval: "1s",
                alerts_allowed_networks: "127.0.0.0/8",
                smtp_host: "127.0.0.1",
                smtp_port: this.mail.port,
                smtp_tls: "none",
                smtp_from: "AstraNetmon <alerts@service.example>",
            });
        });
    }

    /** A service with 1,000 agents. */
    large() {
        return this.#once("large", () => this.#fleet("large", MANY, {}));
    }

    /** Takes a text that must not be told; one that is shown `once` may be in one answer. */
    secret(name, text, { once = false } = {}) {
        if (!this.secrets.some((known) => known.text === text)) this.secrets.push({ name, text, once });
        return text;
    }

    async #fleet(name, agents, settings) {
        const data = newFolder(name);
        const maker = path.join(target, "debug/examples/large_fleet");
        await command([path.join(data, "astranetmon.sqlite3"), String(agents)], {}, maker);
        const person = (role) => {
            const password = this.secret(`the password of the ${role} of ${name}`, `correct ${role} ${name} staple`);
            return addPerson(data, "large-fleet", role, `${role}@${name}.example`, password);
        };
        const owner = await person("owner");
        const viewer = await person("viewer");
        return Object.assign(await serve(data, settings), { owner, viewer, agents });
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
