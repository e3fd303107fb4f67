use std::fmt::Write;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use astranetmon_domain::{Plan, Timestamp};
use astranetmon_ratelimit::Quota;

static POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Tells how a key stands with its plan: the fields of draft-ietf-httpapi-ratelimit-headers, and the older ones that
/// clients know. `X-RateLimit-Reset` is in seconds of the epoch, rounded up as `t` is.
pub(crate) fn insert(headers: &mut HeaderMap, quota: &Quota, now: Timestamp) {
    let mut text = String::with_capacity(40);
    let mut insert_text = |name: &HeaderName, arguments: std::fmt::Arguments<'_>| {
        text.clear();
        // Writing to a string cannot fail, and digits are a header value.
        if text.write_fmt(arguments).is_ok()
            && let Ok(value) = HeaderValue::from_str(&text)
        {
            headers.insert(name.clone(), value);
        }
    };
    insert_text(&POLICY, format_args!("\"hourly\";q={};w={}", quota.limit, Plan::WINDOW_SECONDS));
    insert_text(&RATE_LIMIT, format_args!("\"hourly\";r={};t={}", quota.remaining, quota.seconds_to_reset(now)));
    headers.insert(X_LIMIT.clone(), HeaderValue::from(quota.limit));
    headers.insert(X_REMAINING.clone(), HeaderValue::from(quota.remaining));
    headers.insert(X_RESET.clone(), HeaderValue::from(quota.resets_at.plus_micros(999_999).as_seconds()));
}
