use actix_web::http::Uri;
use actix_web::http::header::{self, HeaderMap};

use crate::ApiError;

const REFUSAL: ApiError = ApiError::Refused(
    "Refused: the request comes from another site, and a dashboard session is used from its own pages only",
);

/// Where a request was made, as its browser says; programs say nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    /// The service's own pages, or the person: a bookmark, the address bar.
    Own,
    Other,
    Unknown,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    // What is no text is nothing that a browser says.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn site(headers: &HeaderMap) -> Site {
    match text(headers, "sec-fetch-site") {
        Some("same-origin" | "none") => Site::Own,
        Some(_) => Site::Other,
        None => Site::Unknown,
    }
}

/// Refuses to read with a session's cookie for pages of another site.
pub(crate) fn refuse_cross_site_read(headers: &HeaderMap) -> Result<(), ApiError> {
    if site(headers) == Site::Other { Err(REFUSAL) } else { Ok(()) }
}

/// The same, but a link from elsewhere may open a page.
pub(crate) fn refuse_cross_site_page(headers: &HeaderMap) -> Result<(), ApiError> {
    let opens_a_page =
        text(headers, "sec-fetch-mode") == Some("navigate") && text(headers, "sec-fetch-dest") == Some("document");
    if opens_a_page { Ok(()) } else { refuse_cross_site_read(headers) }
}

/// Refuses to change anything for pages of another site. A browser that does not say where a request was made says its
/// origin.
pub(crate) fn refuse_cross_site_change(headers: &HeaderMap, public_url: Option<&str>) -> Result<(), ApiError> {
    let own = match (site(headers), text(headers, "origin")) {
        (Site::Own, _) | (Site::Unknown, None) => true,
        (Site::Other, _) => false,
        (Site::Unknown, Some(origin)) => match public_url {
            Some(public_url) => is_same_origin(origin, public_url),
            None => text(headers, header::HOST.as_str()).is_some_and(|host| {
                let authority = origin.strip_prefix("http://").or(origin.strip_prefix("https://"));
                authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
            }),
        },
    };
    if own { Ok(()) } else { Err(REFUSAL) }
}

fn is_same_origin(origin: &str, public_url: &str) -> bool {
    let parts = |text: &str| {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let port = uri.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        Some((scheme, uri.host()?.to_ascii_lowercase(), port))
    };
    parts(origin).is_some_and(|origin| parts(public_url) == Some(origin))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn other_sites_read_nothing_and_their_links_open_pages_only() {
        const LINK: &[(&str, &str)] =
            &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        for (lines, reads, opens) in [
            (&[][..], true, true),
            (&[("sec-fetch-site", "same-origin")], true, true),
            (&[("sec-fetch-site", "none"), ("sec-fetch-mode", "navigate")], true, true),
            (&[("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")], false, false),
            (
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
                false,
                false,
            ),
            (
                &[("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
                false,
                false,
            ),
            (&[("sec-fetch-site", "something new")], false, false),
            (LINK, false, true),
        ] {
            let headers = headers(lines);
            assert_eq!(refuse_cross_site_read(&headers).is_ok(), reads, "{lines:?}");
            assert_eq!(refuse_cross_site_page(&headers).is_ok(), opens, "{lines:?}");
        }
    }

    #[test]
    fn only_own_pages_and_programs_change_anything() {
        const PUBLIC: Option<&str> = Some("https://monitoring.example.com");
        for (lines, public_url, expected) in [
            (&[][..], None, true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "http://elsewhere")], None, true),
            (&[("sec-fetch-site", "same-site")], None, false),
            (&[("sec-fetch-site", "cross-site")], None, false),
            (&[("origin", "http://localhost:8080"), ("host", "localhost:8080")], None, true),
            (&[("origin", "http://localhost:8081"), ("host", "localhost:8080")], None, false),
            (&[("origin", "null"), ("host", "localhost:8080")], None, false),
            (&[("origin", "http://localhost:8080")], None, false),
            (&[("origin", "https://monitoring.example.com"), ("host", "inside:8080")], PUBLIC, true),
            (&[("origin", "https://Monitoring.example.com:443")], PUBLIC, true),
            (&[("origin", "http://monitoring.example.com"), ("host", "monitoring.example.com")], PUBLIC, false),
            (&[("origin", "https://evil.example.com"), ("host", "evil.example.com")], PUBLIC, false),
        ] {
            assert_eq!(refuse_cross_site_change(&headers(lines), public_url).is_ok(), expected, "{lines:?}");
        }
    }
}
