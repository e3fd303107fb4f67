// axe-core beside a page, in a world of its own: the page's Content-Security-Policy stays as it is.

import { axeSource } from "./packages.mjs";

/** Violations of impact serious or critical, one line each with the elements they are about. */
export async function seriousViolations(page) {
    const session = await page.context().newCDPSession(page);
    try {
        const { frameTree } = await session.send("Page.getFrameTree");
        const { executionContextId: contextId } = await session.send("Page.createIsolatedWorld", {
            frameId: frameTree.frame.id,
            worldName: "accessibility",
        });
        await evaluate(session, contextId, `${axeSource};0`);
        const violations = await evaluate(
            session,
            contextId,
            "axe.run({ resultTypes: ['violations'] }).then((found) => found.violations)",
        );
        return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(told);
    } finally {
        await session.detach();
    }
}

async function evaluate(session, contextId, expression) {
    const evaluated = await session.send("Runtime.evaluate", {
        contextId,
        expression,
        awaitPromise: true,
        returnByValue: true,
    });
    if (evaluated.exceptionDetails) {
        throw new Error(evaluated.exceptionDetails.exception?.description ?? evaluated.exceptionDetails.text);
    }
    return evaluated.result.value;
}

function told({ impact, id, help, nodes }) {
    const where = nodes
        .slice(0, 4)
        .map((node) => `${node.target.join(" ")} (${node.failureSummary?.split("\n").pop().trim()})`);
    return `${impact}: ${id}, ${help}: ${where.join("; ")}${nodes.length > 4 ? `; ${nodes.length - 4} more` : ""}`;
}
