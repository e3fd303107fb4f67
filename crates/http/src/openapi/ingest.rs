//! What the operations of `/ingest/v1` have in common.

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Components, Ref, RefOr};

use super::{Failure, refer_to_headers};

/// Schemas of what agents send: a field that is absent is unknown, so few are required.
const SENT: [&str; 12] = [
    "AgentCost",
    "AgentFacts",
    "AgentSpool",
    "EnrollBody",
    "Heartbeat",
    "HopRow",
    "MetricBatch",
    "MetricRow",
    "SpeedtestBatch",
    "SpeedtestRow",
    "TracerouteBatch",
    "TracerouteRow",
];

/// What is sent in the words in which it is answered: schema, field, and the schema of those words.
const WORDS: [(&str, &str, &str); 3] = [
    ("SpeedtestRow", "status", "SpeedtestStatus"),
    ("TracerouteRow", "protocol", "TracerouteProtocol"),
    ("TracerouteRow", "status", "TracerouteStatus"),
];

/// Has what is sent share the enumerations of what is answered, so that a client has one type of each.
pub(super) fn share_enumerations(components: &mut Components) {
    for (schema, field, words) in WORDS {
        let Some(RefOr::T(Schema::Object(row))) = components.schemas.get_mut(schema) else { continue };
        let Some(RefOr::T(Schema::Object(text))) = row.properties.get(field) else { continue };
        let mut reference = Ref::from_schema_name(words);
        reference.description = text.description.clone().unwrap_or_default();
        row.properties.insert(field.to_owned(), reference.into());
    }
}

/// Whether a schema is of what is sent, not of what is answered; forms are of Prometheus's clients.
pub(super) fn is_sent(name: &str) -> bool {
    SENT.contains(&name) || name.ends_with("Form")
}

/// Ways to fail, beside those that all operations share.
pub(super) const FAILURES: [Failure; 11] = [
    Failure {
        status: "400",
        name: "IngestBadRequest",
        description: "The body as a whole cannot be read; nothing of it was taken.",
        example: "Invalid body: missing field `metrics` at line 1 column 2; send JSON such as {\"metrics\": \
                  [{\"timestamp\": \"2026-11-23T11:26:58Z\", \"cpu_percent\": 12.5}]}",
        headers: &[],
    },
    Failure {
        status: "401",
        name: "AgentUnauthorized",
        description: "No agent token, or none that is valid: unknown, replaced, or of an agent that is disabled or gone.",
        example: "Invalid or missing agent token",
        headers: &["WWW-Authenticate"],
    },
    Failure {
        status: "404",
        name: "SpeedtestServerOff",
        description: "The operator has not switched the server's speed tests on.",
        example: "Not found",
        headers: &[],
    },
    Failure {
        status: "405",
        name: "IngestMethodNotAllowed",
        description: "The path takes another method.",
        example: "Method not allowed: this path accepts POST",
        headers: &["Allow"],
    },
    Failure {
        status: "409",
        name: "AgentExists",
        description: "There is an agent of the id that was asked for; the token was not used.",
        example: "This agent exists already: send another agent_id, such as web-2, or ask an admin for a token that \
                  enrols this agent again",
        headers: &[],
    },
    Failure {
        status: "413",
        name: "IngestPayloadTooLarge",
        description: "The body is too long, as sent or unpacked, or has too many rows.",
        example: "Request body too large: this path takes at most 10000 rows: send more in another body",
        headers: &[],
    },
    Failure {
        status: "415",
        name: "IngestUnsupportedMediaType",
        description: "The body is of another type, or packed in another way.",
        example: "Unsupported media type: this path takes JSON, Content-Type: application/json, plain or with \
                  Content-Encoding: gzip or zstd, of at most 4 MiB as sent and 32 MiB unpacked",
        headers: &[],
    },
    Failure {
        status: "429",
        name: "IngestTooManyRequests",
        description: "Too many requests of this agent are in flight, or too many failures came from this address.",
        example: "Too many requests of this agent at once: wait for some of them to finish, then try again",
        headers: &["Retry-After"],
    },
    Failure {
        status: "500",
        name: "IngestServerError",
        description: "The service failed.",
        example: "Internal server error",
        headers: &[],
    },
    Failure {
        status: "503",
        name: "IngestUnavailable",
        description: "The service cannot take anything at the moment.",
        example: "Service temporarily unavailable: try again in a moment",
        headers: &["Retry-After"],
    },
    Failure {
        status: "507",
        name: "StorageFull",
        description: "The database is full; nothing of this request was stored.",
        example: "The database is full: nothing of this request was stored, keep it and send it again later",
        headers: &["Retry-After"],
    },
];

/// Adds to an operation what follows from its path and body.
pub(super) fn complete(path: &str, operation: &mut Operation) {
    let is_speedtest = path.contains("/speedtest/");
    let has_body = operation.request_body.is_some();
    for failure in &FAILURES {
        let possible = match failure.status {
            "400" => has_body || operation.parameters.is_some(),
            "404" => is_speedtest,
            "409" => operation.security.is_none(),
            "413" => has_body,
            "415" | "507" => has_body && !is_speedtest,
            _ => true,
        };
        if possible {
            let reference = RefOr::Ref(Ref::new(format!("#/components/responses/{}", failure.name)));
            // What an operation says of itself stands.
            operation.responses.responses.entry(failure.status.to_owned()).or_insert(reference);
        }
    }
    let too_long = RefOr::Ref(Ref::new("#/components/responses/UriTooLong"));
    operation.responses.responses.insert("414".to_owned(), too_long);
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            refer_to_headers(response, &["X-Request-Id"]);
        }
    }
}

/// Every key is always present, those that may be `null` too.
pub(super) fn require_every_property(schema: &mut RefOr<Schema>) {
    if let RefOr::T(Schema::Object(object)) = schema {
        object.required = object.properties.keys().cloned().collect();
    }
}
