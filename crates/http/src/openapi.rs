//! The OpenAPI document: operations and schemas come from the handlers; what all of them share is added here.

mod ingest;
pub(crate) mod parameter;
mod version_3_0;

use actix_web::App;
use actix_web::http::StatusCode;
use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::Header;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::SchemaType;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, ObjectBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    Response, ResponseBuilder, Schema, Server, Type,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_actix_web::{AppExt, scope};

use self::ingest::require_every_property;
pub use self::version_3_0::Unsayable;
#[cfg(feature = "parquet")]
use crate::encode::PARQUET;
use crate::endpoints::{PREFIX, register};
use crate::wire::{ErrorBody, LatestRecord, MetricAggregateRecord, ProblemBody};

/// The tag of what clients of Prometheus ask, whose answers have a form and no tags of ours.
pub(crate) const PROMETHEUS: &str = "prometheus";

/// The whole document.
#[must_use]
pub fn openapi() -> OpenApi {
    let api = scope(PREFIX).configure(register);
    let ingest = scope(crate::ingest::PREFIX).configure(crate::ingest::register);
    let app = App::new().into_utoipa_app().openapi(frame()).service(api).service(ingest);
    #[cfg(feature = "prometheus")]
    let app = app.service(scope(crate::prometheus::PREFIX).configure(crate::prometheus::register));
    let (_, mut document) = app.split_for_parts();
    for (path, item) in &mut document.paths.paths {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            if path.starts_with(crate::ingest::PREFIX) {
                ingest::complete(path, operation);
            } else {
                complete(operation);
            }
        }
    }
    if let Some(components) = &mut document.components {
        let answered = components.schemas.iter_mut().filter(|(name, _)| !ingest::is_sent(name));
        answered.for_each(|(_, schema)| require_every_property(schema));
        ingest::share_enumerations(components);
        components.schemas.values_mut().for_each(describe_choices);
        for (name, schema) in &mut components.schemas {
            if let (true, RefOr::T(Schema::Object(answer))) = (name.starts_with("Prometheus"), schema) {
                answer.required.retain(|name| name != "warnings");
            }
        }
        // There with `include=latest` only, so that nothing requires it.
        if let Some(RefOr::T(Schema::Object(agent))) = components.schemas.get_mut("Agent") {
            agent.properties.insert("latest".to_owned(), Ref::from_schema_name(LatestRecord::name()).into());
        }
        if let Some(RefOr::T(Schema::Object(aggregate))) = components.schemas.get_mut("MetricAggregate") {
            // There with `group_by=label:…` only.
            aggregate.required.retain(|name| name != "group");
            let figure = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::Number, Type::Null]));
            aggregate.additional_properties = Some(Box::new(RefOr::T(Schema::Object(figure.build())).into()));
        }
    }
    document
}

/// What is said of a field that may be `null` is said of the choice as a whole, where generators look for it.
fn describe_choices(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    for property in object.properties.values_mut() {
        if let RefOr::T(Schema::OneOf(choice)) = property
            && let Some(RefOr::Ref(first)) = choice.items.first_mut()
            && !first.description.is_empty()
        {
            choice.description = Some(std::mem::take(&mut first.description));
        }
    }
}

/// The document as it is stored and served.
pub(crate) fn pretty_document() -> String {
    openapi().to_pretty_json().unwrap_or_default() + "\n"
}

/// The whole document in the words of OpenAPI 3.0, for generators that read no later version.
///
/// # Errors
/// Something of the document that 3.0 has no words for.
pub fn openapi_3_0() -> Result<Value, Unsayable> {
    version_3_0::version_3_0(&serde_json::to_value(openapi()).unwrap_or_default())
}

fn frame() -> OpenApi {
    let info = InfoBuilder::new()
        .title("AstraNetmon API")
        .version("1.0.0")
        .description(Some(include_str!("openapi/introduction.md").trim()))
        .license(Some(LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build()));
    let tags = [
        ("agents", "Machines that report."),
        ("metrics", "What agents measured of their hosts: processor, memory, disk, network."),
        ("speedtests", "Results of speed tests."),
        ("traceroutes", "Results of traceroutes."),
        ("stream", "Records as they come in."),
        ("key", "The key that a request is made with."),
        ("documentation", "This description."),
        #[cfg(feature = "prometheus")]
        (
            PROMETHEUS,
            "Metrics for clients of Prometheus, such as Grafana: give them the address of this service with `/prometheus`.",
        ),
        (
            "ingest",
            "The way in for what agents measure. An agent token writes for one agent and reads nothing; API keys and \
             sessions are refused here.",
        ),
    ]
    .map(|(name, description): (&str, &str)| TagBuilder::new().name(name).description(Some(description)).build());
    let mut components = ComponentsBuilder::new()
        .security_scheme(
            "api_key",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format("astra_…")
                    .description(Some("An API key, `astra_` and 36 letters and digits."))
                    .build(),
            ),
        )
        .security_scheme(
            "agent_token",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .bearer_format("astra_agent_…")
                    .description(Some(
                        "An agent token, `astra_agent_` and 36 letters and digits. It writes for one agent.",
                    ))
                    .build(),
            ),
        )
        .security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::with_description(
                "__Host-astra_session",
                "A dashboard session. A bearer token sent beside it decides alone.",
            ))),
        )
        .schema(ErrorBody::name(), ErrorBody::schema())
        .schema(ProblemBody::name(), ProblemBody::schema())
        .schema(LatestRecord::name(), LatestRecord::schema())
        .schema(MetricAggregateRecord::name(), MetricAggregateRecord::schema());
    for failure in FAILURES.iter().chain(&ingest::FAILURES) {
        components = components.response(failure.name, failure.response());
    }
    components = components.response("NotModified", not_modified());
    let mut components = components.build();
    components.headers.extend(HEADERS.iter().map(|header| (header.0.to_owned(), RefOr::T(header_document(header)))));
    OpenApiBuilder::new()
        .info(info)
        .servers(Some([Server::new("/")]))
        .tags(Some(tags))
        .components(Some(components))
        .build()
}

/// Name, description, type and example of every response header.
const HEADERS: [(&str, &str, Type, &str); 13] = [
    (
        "Sync-Cursor",
        "With `after`: the place in the order of arrival up to which this answer goes, for the next `after`.",
        Type::String,
        "AQAAAAAAAAAA",
    ),
    (
        "X-Request-Id",
        "Names this request in the service's log; taken from the caller if well-formed.",
        Type::String,
        "01JDCK3T2Y5Q",
    ),
    (
        "Link",
        "Leads to the next page, `rel=\"next\"`; present if and only if rows remain.",
        Type::String,
        "</api/v1/metrics?limit=100&cursor=AQAB>; rel=\"next\"",
    ),
    (
        "RateLimit-Policy",
        "The key's plan limit (IETF draft). Absent on unlimited plans and for sessions.",
        Type::String,
        "\"hourly\";q=1000;w=3600",
    ),
    (
        "RateLimit",
        "What is left of it, and for how many seconds. Absent on unlimited plans and for sessions.",
        Type::String,
        "\"hourly\";r=880;t=1234",
    ),
    (
        "X-RateLimit-Limit",
        "Requests in a window of 3600 s. Absent on unlimited plans and for sessions.",
        Type::Integer,
        "1000",
    ),
    (
        "X-RateLimit-Remaining",
        "Requests left in this window. Absent on unlimited plans and for sessions.",
        Type::Integer,
        "880",
    ),
    (
        "X-RateLimit-Reset",
        "When the window ends, in seconds since 1970. Absent on unlimited plans and for sessions.",
        Type::Integer,
        "1795433218",
    ),
    ("Retry-After", "Seconds to wait before trying again.", Type::Integer, "1"),
    (
        "WWW-Authenticate",
        "How to authenticate, or which permission is missing.",
        Type::String,
        "Bearer realm=\"astranetmon\"",
    ),
    ("Allow", "The methods that this path accepts.", Type::String, "GET, HEAD"),
    (
        "ETag",
        "Names this answer. Sent back in `If-None-Match`, it makes the same answer a 304, which costs no quota.",
        Type::String,
        "\"c2VlIHRoZSBjb250cmFjdA\"",
    ),
    (
        "Cache-Control",
        "How long the answer may be kept without asking: not at all, or, for a time of which agents can send nothing any \
         more, a day.",
        Type::String,
        "private, no-cache",
    ),
];

fn header_document((_, description, kind, example): &(&str, &str, Type, &str)) -> Header {
    let example = match kind {
        Type::Integer => example.parse::<u64>().map_or(Value::Null, Value::from),
        _ => Value::from(*example),
    };
    let mut header = Header::new(ObjectBuilder::new().schema_type(kind.clone()).examples([example]));
    header.description = Some((*description).to_owned());
    header
}

/// Headers of every answer to a caller who has authenticated with a key.
const QUOTA_HEADERS: [&str; 5] =
    ["RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];

fn refer_to_headers(response: &mut Response, names: &[&str]) {
    for name in names {
        let reference = RefOr::Ref(Ref::new(format!("#/components/headers/{name}")));
        response.headers.insert((*name).to_owned(), reference);
    }
}

/// A way to fail that several operations share.
struct Failure {
    status: &'static str,
    /// Its name among the document's components.
    name: &'static str,
    description: &'static str,
    /// What callers read, for example.
    example: &'static str,
    headers: &'static [&'static str],
}

const FAILURES: [Failure; 12] = [
    Failure {
        status: "400",
        name: "BadRequest",
        description: "A parameter is unknown, repeated or malformed.",
        example: "Invalid limit: a limit is a whole number from 1 upwards, for example limit=100",
        headers: &[],
    },
    Failure {
        status: "401",
        name: "Unauthorized",
        description: "No credential, or one that is not valid.",
        example: "Invalid or missing API key",
        headers: &["WWW-Authenticate"],
    },
    Failure {
        status: "403",
        name: "Forbidden",
        description: "The key lacks a permission.",
        example: "Insufficient permissions: requires read:metrics",
        headers: &["WWW-Authenticate"],
    },
    Failure {
        status: "404",
        name: "NotFound",
        description: "There is no such thing, or not in this account.",
        example: "Not found",
        headers: &[],
    },
    Failure {
        status: "405",
        name: "MethodNotAllowed",
        description: "The path is read only, with GET or HEAD.",
        example: "Method not allowed: this path accepts GET, HEAD",
        headers: &["Allow"],
    },
    Failure {
        status: "413",
        name: "PayloadTooLarge",
        description: "The request has a body that is too large.",
        example: "Request body too large: this path takes no body",
        headers: &[],
    },
    Failure {
        status: "414",
        name: "UriTooLong",
        description: "Path and query are too long.",
        example: "Request target too long: at most 8192 bytes of path and query",
        headers: &[],
    },
    Failure {
        status: "415",
        name: "UnsupportedMediaType",
        description: "The request has a body.",
        example: "Unsupported media type: this path takes no body",
        headers: &[],
    },
    Failure {
        status: "422",
        name: "NotComputable",
        description: "The query is well-formed and cannot be answered.",
        example: "vector cannot contain metrics with the same labelset",
        headers: &[],
    },
    Failure {
        status: "429",
        name: "TooManyRequests",
        description: "The plan limit is used up, or too many requests are in flight.",
        example: "Rate limit exceeded: the plan allows 100 requests an hour",
        headers: &["Retry-After"],
    },
    Failure {
        status: "500",
        name: "InternalServerError",
        description: "The service failed.",
        example: "Internal server error",
        headers: &[],
    },
    Failure {
        status: "503",
        name: "ServiceUnavailable",
        description: "The service cannot answer at the moment.",
        example: "Service temporarily unavailable: try again in a moment",
        headers: &["Retry-After"],
    },
];

impl Failure {
    fn response(&self) -> Response {
        let status = self.status.parse().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": self.example,
            "error": self.example,
        });
        let content = |name: std::borrow::Cow<'static, str>, example: Value| {
            ContentBuilder::new().schema(Some(Ref::from_schema_name(name))).example(Some(example)).build()
        };
        let mut response = ResponseBuilder::new()
            .description(self.description)
            .content("application/json", content(ErrorBody::name(), json!({ "error": self.example })))
            .content("application/problem+json", content(ProblemBody::name(), problem))
            .build();
        refer_to_headers(&mut response, &["X-Request-Id"]);
        let in_api = FAILURES.iter().any(|failure| failure.name == self.name);
        if in_api && !matches!(self.status, "401" | "405" | "413" | "414" | "415") {
            refer_to_headers(&mut response, &QUOTA_HEADERS);
        }
        refer_to_headers(&mut response, self.headers);
        response
    }
}

/// The caller has the answer already.
fn not_modified() -> Response {
    let description = "The answer is still the one whose tag was sent in `If-None-Match`. It has no body, and costs no \
                       quota.";
    let mut response = ResponseBuilder::new().description(description).build();
    refer_to_headers(&mut response, &["X-Request-Id", "ETag", "Cache-Control"]);
    refer_to_headers(&mut response, &QUOTA_HEADERS);
    response
}

/// Adds to an operation what follows from its path, parameters and security: failures, headers, permission.
fn complete(operation: &mut Operation) {
    let security = serde_json::to_value(&operation.security).unwrap_or_default();
    let schemes = security.pointer("/0").and_then(Value::as_object).map_or(0, serde_json::Map::len);
    let permission = security.pointer("/0/api_key/0").and_then(Value::as_str);
    let has_parameter = |name: &str| {
        let parameters = operation.parameters.iter().flatten();
        parameters.filter_map(|one| if let RefOr::T(one) = one { Some(&one.name) } else { None }).any(|one| one == name)
    };
    // A stream is open to whoever may read any of its kinds.
    let needs_any_permission = has_parameter("kinds");
    // Keys and explorer parts can be missing as well as records.
    let can_be_missing =
        has_parameter("id") || has_parameter("asset") || (schemes > 0 && permission.is_none() && !needs_any_permission);
    let has_next_page = has_parameter("cursor");
    let has_arrivals = has_next_page && has_parameter("after");

    let is_prometheus = operation.tags.iter().flatten().any(|tag| tag == PROMETHEUS);
    for failure in &FAILURES {
        let possible = match failure.status {
            "401" | "429" | "503" => schemes > 0,
            "403" => permission.is_some() || needs_any_permission,
            "404" => can_be_missing,
            "422" => is_prometheus,
            _ => true,
        };
        if possible {
            let reference = RefOr::Ref(Ref::new(format!("#/components/responses/{}", failure.name)));
            operation.responses.responses.insert(failure.status.to_owned(), reference);
        }
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            // Every list is a table; what is in a file is not for a schema to say.
            #[cfg(feature = "parquet")]
            if response.content.contains_key("text/csv") {
                response.content.insert(PARQUET.to_owned(), ContentBuilder::new().build().into());
            }
            refer_to_headers(response, &["X-Request-Id"]);
            if schemes > 0 {
                refer_to_headers(response, &QUOTA_HEADERS);
            }
            if has_next_page {
                refer_to_headers(response, &["Link"]);
            }
            if has_arrivals {
                refer_to_headers(response, &["Sync-Cursor"]);
            }
            if permission.is_some() && !is_prometheus {
                refer_to_headers(response, &["ETag", "Cache-Control"]);
            }
        }
    }
    // Where a permission is asked for, the answer is the account's data, and has a tag.
    if permission.is_some() && !is_prometheus {
        let reference = RefOr::Ref(Ref::new("#/components/responses/NotModified"));
        operation.responses.responses.insert("304".to_owned(), reference);
        operation.parameters.get_or_insert_default().push(RefOr::T(parameter::if_none_match()));
    }
    if let Some(permission) = permission {
        let sentence = format!("\n\nRequired permission: `{permission}`.");
        operation.description.get_or_insert_default().push_str(&sentence);
        operation.extensions = Some(Extensions::builder().add("x-required-permission", permission).build());
    }
}

#[cfg(test)]
mod tests;
