//! One agent: `/dashboard/agents/{id}`, and the data of its charts.

mod buckets;
mod facts;
mod metrics;
mod page;
mod speedtests;
mod traces;

use actix_web::web;

pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services.service(page::agent_page).service(metrics::metric_data).service(speedtests::speedtest_data);
}
