// Runs cases one after another, says each by a sentence, and counts them.

/** Longest time of one case, in milliseconds. */
const CASE_MS = 30_000;

export class Cases {
    passed = 0;
    failed = 0;
    /** Called with the sentence of a case that failed. */
    onFailure = async () => {};

    /** A heading. */
    begin(subject) {
        console.log(`-- ${subject}`);
    }

    /** Runs `body`; what it throws is the case's failure, and the next case runs all the same. */
    it = async (sentence, body, limit = CASE_MS) => {
        const start = Date.now();
        try {
            const figure = await within(limit, body);
            this.passed += 1;
            const told = typeof figure === "string" ? `: ${figure}` : "";
            console.log(`ok      ${sentence}${told} (${Date.now() - start} ms)`);
        } catch (error) {
            this.failed += 1;
            console.log(`FAILED  ${sentence} (${Date.now() - start} ms)`);
            console.log(indented(told(error)));
            await this.onFailure(sentence).catch((reason) => console.log(indented(`no picture: ${reason}`)));
        }
    };

    /** The closing line; true if there were cases and all of them passed. */
    close() {
        console.log(`${this.passed} passed, ${this.failed} failed`);
        return this.failed === 0 && this.passed > 0;
    }
}

async function within(limit, body) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not done after ${limit} ms`)), limit);
    });
    try {
        return await Promise.race([body(), late]);
    } finally {
        clearTimeout(timer);
    }
}

/** Fails with what was found, each once, if there is anything. */
export function nothing(found) {
    if (found.length > 0) throw new Error([...new Set(found)].join("\n"));
}

/** Asks `question` until its answer is truthy, and returns that; throws with `what` after `limit` milliseconds. */
export async function eventually(what, question, limit = 5_000, pause = 25) {
    const end = Date.now() + limit;
    for (;;) {
        const answer = await question();
        if (answer) return answer;
        if (Date.now() > end) throw new Error(`${what}: not within ${limit} ms`);
        await new Promise((resolve) => setTimeout(resolve, pause));
    }
}

export const median = (numbers) => [...numbers].sort((left, right) => left - right)[Math.floor(numbers.length / 2)];

/** What went wrong, and where in the subject. */
function told(error) {
    const message = String(error?.message ?? error).replace(/\x1b\[\d+m/g, "");
    const place = /subjects\/[a-z_]+\.mjs:\d+/.exec(error?.stack ?? "")?.[0];
    return place ? `${message.trimEnd()}\nat ${place}` : message;
}

function indented(text) {
    return text
        .split("\n")
        .slice(0, 30)
        .map((line) => `        ${line}`)
        .join("\n");
}
