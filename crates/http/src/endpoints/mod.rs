//! One file per endpoint: query, response, handler, tests, in that order.

mod agent;
mod agents;
mod aggregate_list;
mod docs;
mod key;
mod latest;
mod metrics;
mod one_record;
mod openapi_json;
mod overview;
mod own_key;
mod record_list;
mod speedtest;
mod speedtests;
pub(crate) mod stream;
mod traceroute;
mod traceroutes;
mod usage;

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};
use astranetmon_domain::{Agent, Speedtest, Traceroute};
use utoipa::openapi::PathItem;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::ApiState;
use crate::conditional::{IfNoneMatch, unchanged_of};
use one_record::OneRecord;
pub(crate) use record_list::NoParameters;

pub use crate::openapi::{Unsayable, openapi, openapi_3_0};

/// Where the endpoints are mounted.
pub const PREFIX: &str = "/api/v1";

/// Registers every endpoint in a scope whose path is [`PREFIX`]. The scope's middleware authenticates; the app's data
/// holds a `Data<ApiState>`.
pub fn configure(config: &mut actix_web::web::ServiceConfig) {
    register(&mut ServiceConfig::new(config));
}

/// The one list of endpoints, from which both the routing and the document come.
pub(crate) fn register(config: &mut ServiceConfig<'_>) {
    // Asked in this order: paths that are compared come before those that are matched, which takes longer.
    config
        .service(metrics::metrics)
        .service(agents::agents)
        .service(overview::overview)
        .service(speedtests::speedtests)
        .service(traceroutes::traceroutes)
        .service(stream::stream)
        .service(usage::usage)
        .service(key::key)
        .service(openapi_json::openapi_json)
        .service(docs::docs)
        .service(agent::agent)
        .service(speedtest::speedtest)
        .service(traceroute::traceroute)
        .service(docs::docs_asset);
}

/// 304 if the caller has the answer already, of an operation whose answers have tags.
pub(crate) async fn unchanged(
    condition: &IfNoneMatch,
    request: &HttpRequest,
    state: &ApiState,
) -> Option<HttpResponse> {
    let pattern = request.match_pattern()?;
    match pattern.strip_prefix(PREFIX)? {
        "/agents" => unchanged_of::<agents::AgentListQuery>(condition, request, state).await,
        "/agents/{id}" => unchanged_of::<OneRecord<Agent>>(condition, request, state).await,
        "/overview" => unchanged_of::<overview::OverviewQuery>(condition, request, state).await,
        "/metrics" => unchanged_of::<metrics::MetricsQuery>(condition, request, state).await,
        "/speedtests" => unchanged_of::<record_list::SpeedtestListQuery>(condition, request, state).await,
        "/speedtests/{id}" => unchanged_of::<OneRecord<Speedtest>>(condition, request, state).await,
        "/traceroutes" => unchanged_of::<record_list::TracerouteListQuery>(condition, request, state).await,
        "/traceroutes/{id}" => unchanged_of::<OneRecord<Traceroute>>(condition, request, state).await,
        _ => None,
    }
}

/// The methods that a path knows, as `Allow` lists them; `None` if there is no such path.
#[must_use]
pub fn allowed_methods(path: &str) -> Option<&'static str> {
    static TEMPLATES: LazyLock<Vec<(String, String)>> = LazyLock::new(|| {
        let methods = |path: &str, item: &PathItem| {
            // What can be read can be asked for its head alone.
            let head = item.get.is_some() && !path.starts_with(crate::ingest::PREFIX);
            let known = [("GET", item.get.is_some()), ("HEAD", head), ("POST", item.post.is_some())];
            known.into_iter().filter_map(|(method, known)| known.then_some(method)).collect::<Vec<_>>().join(", ")
        };
        openapi().paths.paths.iter().map(|(path, item)| (path.clone(), methods(path, item))).collect()
    });
    let template = TEMPLATES.iter().find(|(template, _)| matches_template(path, template));
    template.map(|(_, methods)| methods.as_str())
}

fn matches_template(path: &str, template: &str) -> bool {
    let mut segments = path.split('/');
    let same = template.split('/').all(|expected| {
        segments
            .next()
            .is_some_and(|segment| if expected.starts_with('{') { !segment.is_empty() } else { segment == expected })
    });
    same && segments.next().is_none()
}

/// Whether a path is served to callers with a credential only.
#[must_use]
pub fn needs_credential(path: &str) -> bool {
    let open = |rest: &str| matches!(rest, "/openapi.json" | "/docs") || rest.starts_with("/docs/");
    !path.strip_prefix(PREFIX).is_some_and(open)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::schema_check;
