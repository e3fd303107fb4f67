//! What people set: keys, people, sessions, their account. And how they get in: sign-in and set-up.
//!
//! Pages are for everybody in the account; what changes something is for owners and admins, and for everybody what is
//! their own.

mod account;
mod agents;
mod alerts;
mod audit;
mod audit_sentence;
mod browser_name;
mod channel_tests;
mod channels;
mod enrolments;
mod form;
mod frame;
mod history;
mod keys;
mod labels_field;
mod people;
mod retention;
mod rule_form;
mod rules;
mod secret_answer;
mod sessions;
mod set_up;
mod sign_in;
mod usage_chart;

#[cfg(test)]
mod tests;

use actix_web::web;

pub(crate) use channel_tests::ChannelTests;

/// What needs a session, under `/dashboard/settings`.
pub(crate) fn configure(services: &mut web::ServiceConfig) {
    services
        .service(account::page)
        .service(account::change_password_action)
        .service(retention::choose)
        .service(retention::follow_plan)
        .service(agents::page)
        .service(agents::edit)
        .service(agents::disable)
        .service(agents::enable)
        .service(agents::remove)
        .service(enrolments::create)
        .service(enrolments::revoke)
        .service(alerts::page)
        .service(keys::create)
        .service(keys::roll)
        .service(keys::revoke)
        .service(rules::create)
        .service(rules::update)
        .service(rules::set_enabled)
        .service(rules::remove)
        .service(channels::create)
        .service(channels::remove)
        .service(channels::test)
        .service(people::page)
        .service(people::add)
        .service(people::set_role)
        .service(people::disable)
        .service(people::enable)
        .service(people::reset_password)
        .service(sessions::page)
        .service(sessions::end_others)
        .service(sessions::end)
        .service(audit::page);
}

/// The sign-in page, under `/dashboard/sign-in`.
pub(crate) fn configure_sign_in(services: &mut web::ServiceConfig) {
    services.service(sign_in::page);
}

/// The set-up page, under `/dashboard/set-up`.
pub(crate) fn configure_set_up(services: &mut web::ServiceConfig) {
    services.service(set_up::page);
}
