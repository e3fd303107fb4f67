use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::Failure;

/// Where the server is: its scheme, host and port, and a path if it stands behind one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl(Url);

/// How far a token may travel in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clear {
    /// Not at all: the URL is https.
    Never,
    /// To addresses of this machine and of private networks.
    PrivateOnly,
    /// Anywhere, since the operator said so.
    Anywhere,
}

impl ServerUrl {
    /// Reads it.
    ///
    /// # Errors
    /// [`Failure::Usage`] with the accepted form.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = || {
            Failure::usage(format!(
                "the server {text} must be an http or https URL, such as https://monitor.example.com"
            ))
        };
        let mut url = Url::parse(text).map_err(|_| wrong())?;
        let good = matches!(url.scheme(), "http" | "https")
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !good {
            return Err(wrong());
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(Self(url))
    }

    /// Whether TLS protects what is sent.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// How far a token may travel in the clear.
    ///
    /// # Errors
    /// [`Failure::Usage`] for plain http to an address that is plainly public, unless `insecure_http`.
    pub fn clear(&self, insecure_http: bool) -> Result<Clear, Failure> {
        if self.is_encrypted() {
            return Ok(Clear::Never);
        }
        if insecure_http {
            return Ok(Clear::Anywhere);
        }
        let literal = match self.0.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            _ => None,
        };
        if literal.is_some_and(|address| !is_private(address)) {
            return Err(Failure::usage(format!(
                "{self} would take the token over public networks in the clear: {HINT}"
            )));
        }
        Ok(Clear::PrivateOnly)
    }

    /// A name or an address; that of IPv6 without its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    /// The address of something the server offers; `path` begins with a slash.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

/// What there is to do about plain http.
pub(crate) const HINT: &str = "use https, or set insecure_http (--insecure-http) to accept the risk";

/// Addresses that only this machine or its own networks reach.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let is_shared = address.octets()[0] == 100 && address.octets()[1] & 0xC0 == 64;
            address.is_loopback() || address.is_private() || address.is_link_local() || is_shared
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_an_http_url_without_secrets() {
        for (text, shown) in [
            ("https://monitor.example.com", "https://monitor.example.com"),
            ("HTTPS://monitor.example.com/", "https://monitor.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://example.com/monitor/", "https://example.com/monitor"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ] {
            assert_eq!(ServerUrl::parse(text).expect(text).to_string(), shown);
        }
        let url = ServerUrl::parse("https://example.com/monitor/").expect("good");
        assert_eq!(url.join("/ingest/v1/metrics"), "https://example.com/monitor/ingest/v1/metrics");
        for text in
            ["", "monitor.example.com", "ftp://example.com", "https://user:x@example.com", "https://a?b", "https://a#b"]
        {
            let sentence =
                format!("the server {text} must be an http or https URL, such as https://monitor.example.com");
            assert_eq!(ServerUrl::parse(text), Err(Failure::usage(sentence)));
        }
    }

    #[test]
    fn plain_http_goes_to_private_addresses_unless_the_operator_accepts_the_risk() {
        for (text, expected) in [
            ("https://203.0.113.9", Some(Clear::Never)),
            ("http://127.0.0.1:8080", Some(Clear::PrivateOnly)),
            ("http://10.1.2.3", Some(Clear::PrivateOnly)),
            ("http://100.64.0.1", Some(Clear::PrivateOnly)),
            ("http://[fd00::1]", Some(Clear::PrivateOnly)),
            ("http://[::ffff:192.168.0.1]", Some(Clear::PrivateOnly)),
            // What it resolves to is looked at when it is called.
            ("http://server", Some(Clear::PrivateOnly)),
            ("http://100.128.0.1", None),
            ("http://203.0.113.9", None),
            ("http://[2001:db8::1]", None),
            ("http://[::ffff:203.0.113.9]", None),
        ] {
            let url = ServerUrl::parse(text).expect(text);
            assert_eq!(url.clear(false).ok(), expected, "{text}");
            assert!(url.clear(true).is_ok());
        }
        let refused = ServerUrl::parse("http://203.0.113.9/").expect("good").clear(false).expect_err("public");
        assert_eq!(
            refused.to_string(),
            "http://203.0.113.9 would take the token over public networks in the clear: use https, or set \
             insecure_http (--insecure-http) to accept the risk"
        );
    }
}
