// What an agent sends.

/** What `/ingest/v1/…` answers to a body with an agent's token, or without one: `{ status, body }`. */
export async function sent(server, what, token, body) {
    const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
    const answer = await fetch(`${server.url}/ingest/v1/${what}`, {
        method: "POST",
        headers,
        body: JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
}
