use std::borrow::Cow;

use actix_web::http::header::{self, HeaderMap};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::middleware::Credential;

/// What an agent presents.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AgentCredential<'a> {
    /// Nothing, or another scheme.
    Absent,
    /// Something that is no token.
    Malformed,
    /// A token.
    Token(Cow<'a, str>),
}

impl<'a> AgentCredential<'a> {
    /// `Bearer`; where senders speak to what they take for InfluxDB, also `Token`, and `Basic` with the token as its
    /// password.
    pub(crate) fn of(headers: &'a HeaderMap, as_influx: bool) -> Self {
        match Credential::of(headers) {
            Credential::Absent => Self::Absent,
            Credential::Malformed => Self::Malformed,
            Credential::Bearer(token) => Self::Token(Cow::Borrowed(token)),
            Credential::NoToken if as_influx => Self::of_influx(headers).unwrap_or(Self::Absent),
            Credential::NoToken => Self::Absent,
        }
    }

    fn of_influx(headers: &'a HeaderMap) -> Option<Self> {
        let (scheme, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        let value = value.trim_matches(' ');
        if scheme.eq_ignore_ascii_case("token") {
            return (!value.is_empty()).then_some(Self::Token(Cow::Borrowed(value)));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let Ok(decoded) = STANDARD.decode(value) else { return Some(Self::Malformed) };
        let password = std::str::from_utf8(&decoded).ok().and_then(|text| text.split_once(':'));
        Some(password.map_or(Self::Malformed, |(_, password)| Self::Token(Cow::Owned(password.to_owned()))))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn influx_senders_present_their_token_in_their_own_ways() {
        use AgentCredential::{Absent, Malformed, Token};
        let token = || Token(Cow::Borrowed("astra_agent_x"));
        for (sent, elsewhere, as_influx) in [
            (None, Absent, Absent),
            (Some("Bearer astra_agent_x"), token(), token()),
            (Some("Token astra_agent_x"), Absent, token()),
            (Some("token   astra_agent_x "), Absent, token()),
            (Some("Token"), Absent, Absent),
            (Some("Token "), Absent, Absent),
            (Some("Basic YWdlbnQ6YXN0cmFfYWdlbnRfeA=="), Absent, token()),
            (Some("Basic YWdlbnQ="), Absent, Malformed),
            (Some("Basic !"), Absent, Malformed),
            (Some("Digest x"), Absent, Absent),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(sent) = sent {
                headers.insert(header::AUTHORIZATION, HeaderValue::from_static(sent));
            }
            assert_eq!(AgentCredential::of(&headers, false), elsewhere, "{sent:?}");
            assert_eq!(AgentCredential::of(&headers, true), as_influx, "{sent:?}");
        }
    }
}
