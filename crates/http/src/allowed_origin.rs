use std::fmt;
use std::str::FromStr;

use actix_web::http::header::HeaderValue;

/// Whose pages may read the API from a browser: an origin such as `https://status.example.com`, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedOrigin(HeaderValue);

/// The text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is http or https, a host and perhaps a port, such as https://status.example.com, or * for all")]
pub struct InvalidOrigin;

impl AllowedOrigin {
    /// Whether it stands for all.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == "*"
    }

    /// What the browser that names `origin` is told; `None` if it may not read.
    pub(crate) fn answer<'a>(&'a self, origin: &'a HeaderValue) -> Option<&'a HeaderValue> {
        (self.is_any() || self.0 == origin).then_some(&self.0)
    }
}

impl FromStr for AllowedOrigin {
    type Err = InvalidOrigin;

    /// As browsers write it: lower case, no slash at the end, no port that is the scheme's own.
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let value = HeaderValue::from_str(text).map_err(|_| InvalidOrigin)?;
        if text == "*" {
            return Ok(Self(value));
        }
        let (rest, own_port) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (rest, ":443"),
            (_, Some(rest)) => (rest, ":80"),
            _ => return Err(InvalidOrigin),
        };
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte);
        let begins = rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
        let well_formed = begins && rest.bytes().all(plain) && !rest.ends_with(own_port) && !rest.ends_with(':');
        if well_formed { Ok(Self(value)) } else { Err(InvalidOrigin) }
    }
}

impl fmt::Display for AllowedOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        for text in ["*", "https://a.example", "http://localhost:3000", "http://[::1]:8080", "https://a.example:8443"] {
            assert_eq!(text.parse::<AllowedOrigin>().expect(text).to_string(), text);
        }
        for text in [
            "",
            "null",
            "a.example",
            "ftp://a.example",
            "https://",
            "https://a.example/",
            "https://A.example",
            "https://*.example",
            "https://a.example:443",
            "http://a.example:80",
            "https://a.example:",
            "https://u@a.example",
            "https://a.example?x",
            "https://a.example\r\n",
        ] {
            assert_eq!(text.parse::<AllowedOrigin>(), Err(InvalidOrigin), "{text:?}");
        }
    }
}
