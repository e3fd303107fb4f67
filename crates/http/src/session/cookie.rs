use actix_web::http::header::{self, HeaderMap, HeaderValue};
use astranetmon_auth::SessionToken;

/// Browsers keep the prefix's promise: secure, for this host alone, for every path.
const SESSION: &str = "__Host-astra_session";
const DEVICE: &str = "__Host-astra_device";
/// 400 days: as long as browsers keep any cookie.
const DEVICE_LASTS: &str = "; Max-Age=34560000";

/// A cookie as a request sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SentCookie<'a> {
    Absent,
    One(&'a str),
    /// More than one of the name, or bytes that are no text: nobody's.
    Malformed,
}

impl<'a> SentCookie<'a> {
    /// The value, if there is one that is somebody's.
    pub(crate) const fn value(self) -> Option<&'a str> {
        match self {
            Self::One(value) => Some(value),
            Self::Absent | Self::Malformed => None,
        }
    }
}

fn sent<'a>(headers: &'a HeaderMap, name: &str) -> SentCookie<'a> {
    let mut found = SentCookie::Absent;
    for line in headers.get_all(header::COOKIE) {
        let Ok(line) = line.to_str() else { continue };
        for pair in line.split(';') {
            if let Some((sent_name, value)) = pair.trim().split_once('=')
                && sent_name == name
            {
                found = if found == SentCookie::Absent { SentCookie::One(value) } else { SentCookie::Malformed };
            }
        }
    }
    found
}

pub(crate) fn session_cookie_sent(headers: &HeaderMap) -> SentCookie<'_> {
    sent(headers, SESSION)
}

pub(crate) fn device_cookie_sent(headers: &HeaderMap) -> Option<&str> {
    sent(headers, DEVICE).value()
}

/// A value for `Set-Cookie`. Lax, so that a link from elsewhere opens the dashboard; what may come from elsewhere is
/// looked at for each request.
fn cookie(name: &str, value: &str, more: &str) -> HeaderValue {
    let text = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{more}");
    // Values are base64url.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

/// Ends with the browser; the session itself ends earlier or later.
pub(crate) fn session_cookie(token: &SessionToken) -> HeaderValue {
    cookie(SESSION, token.reveal(), "")
}

pub(crate) fn no_session_cookie() -> HeaderValue {
    cookie(SESSION, "", "; Max-Age=0")
}

pub(crate) fn device_cookie(value: &str) -> HeaderValue {
    cookie(DEVICE, value, DEVICE_LASTS)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn the_session_is_the_one_cookie_of_its_exact_name() {
        for (lines, expected) in [
            (&[][..], SentCookie::Absent),
            (&["a=b; astra_session=x"], SentCookie::Absent),
            (&["__host-astra_session=x"], SentCookie::Absent),
            (&["__Host-astra_session=x"], SentCookie::One("x")),
            (&["a=b; __Host-astra_session=x;c=d"], SentCookie::One("x")),
            (&["a=b", "__Host-astra_session="], SentCookie::One("")),
            (&["__Host-astra_session=x; __Host-astra_session=x"], SentCookie::Malformed),
            (&["__Host-astra_session=x", "__Host-astra_session=y"], SentCookie::Malformed),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::COOKIE, HeaderValue::from_static(line));
            }
            assert_eq!(session_cookie_sent(&headers), expected, "{lines:?}");
        }
    }

    #[test]
    fn cookies_are_for_this_host_over_tls_and_for_no_script() {
        let token = SessionToken::generate(&mut StdRng::seed_from_u64(1));
        for (cookie, expected) in [
            (
                session_cookie(&token),
                format!("__Host-astra_session={}; Path=/; Secure; HttpOnly; SameSite=Lax", token.reveal()),
            ),
            (
                no_session_cookie(),
                "__Host-astra_session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0".to_owned(),
            ),
            (
                device_cookie("x"),
                "__Host-astra_device=x; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=34560000".to_owned(),
            ),
        ] {
            assert_eq!(cookie, expected.as_str());
        }
    }
}
