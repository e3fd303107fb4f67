// Channels and rules, made by a person; alerts_arrive.mjs looks at what they tell.

import assert from "node:assert/strict";
import { nothing } from "../cases.mjs";
import { taken } from "../chromium.mjs";
import { bodyOf } from "../smtp.mjs";
import { settled, signedIn } from "../visitor.mjs";
import { eventually } from "../cases.mjs";
import { signedBy, webhookReceiver } from "../webhook.mjs";

export const HOOK = "pager";
export const MAILBOX = "on call by mail";
export const ON_CALL = "on.call@example.net";
/** What fires at once, and what fires once the service has watched for 30 seconds. */
export const BUSY = { name: "the processor is busy", agent: "agent-0003" };
export const SILENT = { name: "an agent is silent", agent: "agent-0001" };

const TESTS_APART_MS = 5_500;

export default async function alerts({ it, browser, servers }) {
    const service = await servers.service();
    const { page, faults } = await signedIn(browser, service, service.owner);
    const receiver = await webhookReceiver();
    const { mail } = servers;
    servers.receiver = receiver;
    const address = `${receiver.url}?token=known-to-the-receiver-alone`;
    servers.secret("what a webhook's address ends with", "known-to-the-receiver-alone");
    await page.goto(`${service.url}/dashboard/settings/alerts`);

    await it("a webhook's secret is shown once, and of its address no more than the host", async () => {
        const form = await opened(page, "New channel");
        await form.getByLabel("Name").fill(HOOK);
        await form.getByLabel("Kind").selectOption("webhook");
        await form.getByLabel("URL").fill(address);
        await form.getByRole("button", { name: "Make channel" }).click();
        const shown = page.locator("#channel-shown");
        await shown.waitFor();
        const secret = await shown.locator("#channel-secret").innerText();
        assert.match(secret, /^whsec_[\w-]{43}$/);
        receiver.secret = servers.secret("a webhook's secret", secret, { once: true });
        await shown.getByRole("button", { name: "I have kept it" }).click();
        await rowOf(page, HOOK).getByText(new URL(address).origin).waitFor();
    });

    await it("the test button brings a signed message to the webhook, and the page says that it arrived", async () => {
        await settled(page);
        await rowOf(page, HOOK).getByRole("button", { name: "Test" }).click();
        await eventually("the test message", () => receiver.deliveries.length === 1);
        const [{ method, path, headers, body }] = receiver.deliveries;
        assert.deepEqual([method, new URL(path, address).href], ["POST", address]);
        assert.match(headers["content-type"], /^application\/json/);
        assert.ok(signedBy(receiver.secret, headers["x-astra-signature"], body), "the signature fits");
        assert.ok(!signedBy(`${receiver.secret}x`, headers["x-astra-signature"], body), "and no other secret does");
        assert.equal(JSON.parse(body).state, "test");
        await page.locator("#channel-test").filter({ hasText: /\w/ }).waitFor();
        return page.locator("#channel-test").innerText();
    });

    await it("the test button brings a message to the mail server", async () => {
        const form = await opened(page, "New channel");
        await form.getByLabel("Name").fill(MAILBOX);
        await form.getByLabel("Kind").selectOption("email");
        await form.getByLabel("E-mail address").fill(ON_CALL);
        await form.getByRole("button", { name: "Make channel" }).click();
        await rowOf(page, MAILBOX).waitFor();
        await settled(page);
        // An account tests once in so many seconds.
        await page.waitForTimeout(Math.max(0, receiver.deliveries.at(-1).at + TESTS_APART_MS - Date.now()));
        await rowOf(page, MAILBOX).getByRole("button", { name: "Test" }).click();
        await eventually("the message", () => mail.messages.length === 1);
        assert.deepEqual(mail.messages[0].to, [ON_CALL]);
        assert.match(bodyOf(mail.messages[0].text), /This is a test/);
    });

    await it("rules are made for a metric and for silence, and say what they watch and whom they tell", async () => {
        // The first delivery of an alert fails, so that it has to come again.
        receiver.refuse([503]);
        await ruleMade(page, BUSY, async (form) => {
            await form.getByLabel("Severity").selectOption("critical");
            await form.getByLabel("Fires when").selectOption("metric_threshold");
            await form.getByLabel("Metric").selectOption("cpu_percent");
            await form.getByLabel("Value").fill("1");
            await form.getByLabel("For minutes").fill("0");
        });
        await ruleMade(page, SILENT, async (form) => {
            await form.getByLabel("Fires when").selectOption("agent_offline");
            await form.getByLabel("Minutes without a report").fill("0.5");
        });
        const text = await rowOf(page, BUSY.name).innerText();
        for (const said of ["critical", "above 1", HOOK, MAILBOX]) assert.ok(text.includes(said), `${said}: ${text}`);
    });

    await it("a rule that cannot be is refused in a sentence", async () => {
        await settled(page);
        const form = await opened(page, "New rule");
        await form.getByLabel("Name").fill("no such thing");
        await form.getByLabel("Fires when").selectOption("speedtest_below");
        await form.getByRole("button", { name: "Save rule" }).click();
        const alert = form.getByRole("alert").filter({ hasText: /\w/ });
        await alert.waitFor();
        const told = await alert.innerText();
        await form.getByRole("button", { name: "Cancel" }).click();
        taken(faults);
        return told;
    });

    await it("a service that is not told otherwise brings nothing to its own network", async () => {
        const large = await servers.large();
        const other = await signedIn(browser, large, large.owner);
        const refusing = await webhookReceiver();
        await other.page.goto(`${large.url}/dashboard/settings/alerts`);
        const form = await opened(other.page, "New channel");
        await form.getByLabel("Name").fill(HOOK);
        await form.getByLabel("URL").fill(refusing.url);
        await form.getByRole("button", { name: "Make channel" }).click();
        await other.page.locator("#channel-shown, dialog[open] [role=alert]:not([hidden])").first().waitFor();
        if (await other.page.locator("#channel-shown").isVisible()) {
            servers.secret("another webhook's secret", await other.page.locator("#channel-secret").innerText(), {
                once: true,
            });
            await other.page.locator("#channel-shown").getByRole("button", { name: "I have kept it" }).click();
            await rowOf(other.page, HOOK).getByRole("button", { name: "Test" }).click();
        }
        const told = other.page
            .locator('[role="alert"]:visible, #channel-test:visible')
            .filter({ hasText: /\w/ })
            .first();
        await told.waitFor();
        const sentence = await told.innerText();
        assert.deepEqual(refusing.deliveries, []);
        assert.match(sentence, /no address that webhooks may reach/);
        refusing.close();
        await other.context.close();
        return sentence;
    });

    await it("nothing of this is a fault to the browser", async () => nothing(taken(faults)));
}

/** The form behind a button; its dialog is open. */
export async function opened(page, button) {
    await page.getByRole("button", { name: button, exact: true }).click();
    const dialog = page.locator("dialog[open]");
    await dialog.waitFor();
    return dialog;
}

async function ruleMade(page, { name, agent }, fill) {
    await settled(page);
    const form = await opened(page, "New rule");
    await form.getByLabel("Name").fill(name);
    await fill(form);
    await form.getByLabel("For", { exact: true }).selectOption(agent);
    for (const channel of [HOOK, MAILBOX]) await form.getByLabel(channel).check();
    await form.getByRole("button", { name: "Save rule" }).click();
    await form.waitFor({ state: "hidden" });
    await rowOf(page, name).waitFor();
}

export function rowOf(page, name) {
    return page.getByRole("row").filter({ has: page.getByRole("rowheader", { name }) });
}
