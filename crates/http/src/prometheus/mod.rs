//! `/prometheus/api/v1`: metrics as Prometheus serves them, for Grafana's Prometheus source, promtool and their like. One
//! file per endpoint.
//!
//! A metric is called `astranetmon_` and the name of the field; its labels are `agent_id` and the labels of the agent.
//! Keys, permissions and plan limits are those of the API.

/// A handler that takes the parameters of a query in a form, and answers as the file's own `answer` does.
macro_rules! by_form {
    ($(#[$doc:meta])* $name:ident = $id:tt, $path:tt, $form:ident, $description:tt, $answer:ident) => {
        $(#[$doc])*
        #[utoipa::path(
            operation_id = $id,
            tag = "prometheus",
            request_body(content = $form, content_type = "application/x-www-form-urlencoded"),
            security(("api_key" = ["read:metrics"]), ("session" = [])),
            responses((status = 200, description = $description, body = $answer)),
        )]
        #[post($path)]
        pub(crate) async fn $name(
            caller: Authorized<ReadMetrics>,
            given: Parameters,
            state: Data<ApiState>,
        ) -> Result<HttpResponse, ApiError> {
            answer(&caller, &given, &state).await
        }
    };
}

mod answer;
mod build_info;
mod error_form;
mod label_values;
mod labels;
mod load;
mod metadata;
mod parameters;
mod query;
mod query_range;
mod schemas;
mod series;
mod sources;
#[cfg(test)]
mod tests;

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, web};
use utoipa_actix_web::service_config::ServiceConfig;

use crate::ApiError;
use crate::extractors::api_app_defaults;
use crate::middleware::{authenticate, compressed, edge, head};
use crate::state::ApiState;

/// Where Prometheus's clients read; what they call the server's address ends before `/api/v1`.
pub const PREFIX: &str = "/prometheus/api/v1";

/// What Prometheus's clients read, to be mounted in any actix application beside [`crate::api`].
#[must_use]
pub fn prometheus(state: web::Data<ApiState>) -> impl HttpServiceFactory + 'static {
    let (at_edge, at_door) = (state.clone(), state.clone());
    web::scope(PREFIX)
        .app_data(state)
        .configure(api_app_defaults)
        .configure(|config| register(&mut ServiceConfig::new(config)))
        .default_service(web::to(async || Err::<HttpResponse, _>(ApiError::NotFound)))
        .wrap(from_fn(move |request, next| authenticate(at_door.clone(), request, next)))
        .wrap(from_fn(error_form::error_form))
        .wrap(from_fn(compressed))
        .wrap(from_fn(head))
        .wrap(from_fn(move |request, next| edge(at_edge.clone(), request, next)))
}

/// The one list of endpoints, from which both the routing and the document come.
pub(crate) fn register(config: &mut ServiceConfig<'_>) {
    config
        .service(query_range::query_range)
        .service(query_range::query_range_by_form)
        .service(query::query)
        .service(query::query_by_form)
        .service(series::series)
        .service(series::series_by_form)
        .service(labels::labels)
        .service(labels::labels_by_form)
        .service(label_values::label_values)
        .service(metadata::metadata)
        .service(build_info::build_info);
}
