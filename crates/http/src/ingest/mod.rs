//! `/ingest/v1`: the way in for what agents measure. One file per endpoint.
//!
//! An agent token writes for one agent and reads nothing; neither a key of `/api/v1` nor a session opens this door.
//! Whatever an answer says was taken is durable before it is sent.

mod agent;
mod append;
mod body;
mod credential;
mod decompress;
mod door;
mod enroll;
mod heartbeat;
mod influx;
mod line_memory;
mod memory;
mod metrics;
mod speedtest;
mod speedtests;
#[cfg(test)]
mod tests;
mod traceroutes;

use actix_web::dev::HttpServiceFactory;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, web};
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) use agent::Agent;
pub(crate) use body::BodyForm;
pub(crate) use line_memory::LineMemory;
pub(crate) use memory::BodyRoom;
pub(crate) use speedtest::SpeedtestSeats;

use crate::ApiError;
use crate::extractors::api_app_defaults;
use crate::middleware::edge;
use crate::state::ApiState;

/// Where agents send to.
pub const PREFIX: &str = "/ingest/v1";

/// The whole of ingestion, to be mounted in any actix application beside [`crate::api`].
#[must_use]
pub fn ingest(state: web::Data<ApiState>) -> impl HttpServiceFactory + 'static {
    let (at_edge, at_door) = (state.clone(), state.clone());
    web::scope(PREFIX)
        .app_data(state)
        .configure(api_app_defaults)
        .configure(|config| register(&mut ServiceConfig::new(config)))
        .default_service(web::to(async || Err::<HttpResponse, _>(ApiError::NotFound)))
        .wrap(from_fn(move |request, next| door::door(at_door.clone(), request, next)))
        .wrap(from_fn(move |request, next| edge(at_edge.clone(), request, next)))
}

/// The one list of endpoints, from which both the routing and the document come.
pub(crate) fn register(config: &mut ServiceConfig<'_>) {
    config
        .service(enroll::enroll)
        .service(metrics::metrics)
        .service(speedtests::speedtests)
        .service(traceroutes::traceroutes)
        .service(heartbeat::heartbeat)
        .service(influx::lines)
        .service(influx::lines_v2)
        .service(influx::lines_v1)
        .service(speedtest::garbage::garbage)
        .service(speedtest::empty::ping)
        .service(speedtest::empty::upload)
        .service(speedtest::get_ip::get_ip);
}
