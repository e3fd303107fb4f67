use actix_web::http::header::{self, HeaderMap};

/// What a request presents in `Authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// No `Authorization` at all: a session may decide.
    Absent,
    /// A token.
    Bearer(&'a str),
    /// Another scheme, or `Bearer` without a token: nobody.
    NoToken,
    /// More than one header, or bytes that are no text: nobody.
    Malformed,
}

impl<'a> Credential<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut sent = headers.get_all(header::AUTHORIZATION);
        let Some(value) = sent.next() else { return Self::Absent };
        if sent.next().is_some() {
            return Self::Malformed;
        }
        let Ok(text) = value.to_str() else { return Self::Malformed };
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        let token = token.trim_matches(' ');
        if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() { Self::Bearer(token) } else { Self::NoToken }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        for (sent, expected) in [
            (&[][..], Credential::Absent),
            (&["Bearer astra_x"], Credential::Bearer("astra_x")),
            (&["bearer astra_x"], Credential::Bearer("astra_x")),
            (&["BEARER   astra_x "], Credential::Bearer("astra_x")),
            (&["Bearer astra_x astra_y"], Credential::Bearer("astra_x astra_y")),
            (&["Bearer"], Credential::NoToken),
            (&["Bearer "], Credential::NoToken),
            (&["Basic YTpi"], Credential::NoToken),
            (&["astra_x"], Credential::NoToken),
            (&["Bearerastra_x"], Credential::NoToken),
            (&[""], Credential::NoToken),
            (&["Bearer astra_x", "Bearer astra_x"], Credential::Malformed),
            (&["Bearer \u{e4}"], Credential::Malformed),
        ] {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).expect("header value"));
            }
            assert_eq!(Credential::of(&headers), expected, "{sent:?}");
        }
    }
}
