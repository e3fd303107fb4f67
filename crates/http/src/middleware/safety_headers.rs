use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

static RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What browsers and caches must know of an answer of the API. A handler that serves a page has its own
/// `Content-Security-Policy` and `Cache-Control`, which stay.
pub(crate) fn insert(headers: &mut HeaderMap, tls: bool) {
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(RESOURCE_POLICY.clone(), HeaderValue::from_static("same-origin"));
    insert_default(headers, header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox");
    insert_default(headers, header::CACHE_CONTROL, "no-store");
    // A handler may have named more that its answer depends on.
    headers.append(header::VARY, HeaderValue::from_static("Authorization, Cookie, Accept, Accept-Encoding"));
    if tls {
        headers
            .insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000; includeSubDomains"));
    }
}

fn insert_default(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    if !headers.contains_key(&name) {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
