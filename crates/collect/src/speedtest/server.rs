use std::fmt;

use reqwest::Url;
use reqwest::header::HeaderValue;

/// A server that speaks LibreSpeed's protocol.
#[derive(Clone, PartialEq, Eq)]
pub struct SpeedtestServer {
    /// What people call it.
    pub name: Option<String>,
    /// Where it stands.
    pub location: Option<String>,
    pub(super) download: Url,
    pub(super) empty: Url,
    pub(super) address: Url,
    pub(super) authorization: Option<HeaderValue>,
}

/// Why a server cannot be tested against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServerUrl {
    /// The address is not of the accepted form.
    #[error(
        "The address of a speed-test server is an http or https URL without user name, query or fragment, as in \
         https://speed.example.com/backend/."
    )]
    Url,
    /// The token cannot stand in a header.
    #[error("A token for a speed-test server is printable text without spaces.")]
    Token,
}

impl SpeedtestServer {
    /// LibreSpeed's own server: `garbage.php`, `empty.php` and `getIP.php` under `url`.
    ///
    /// # Errors
    /// [`InvalidServerUrl`]
    pub fn librespeed(url: &str) -> Result<Self, InvalidServerUrl> {
        Self::with_paths(url, "garbage.php", "empty.php", "getIP.php?isp=true")
    }

    /// AstraNetmon's own server, which lets its agents measure: `token` is the agent's.
    ///
    /// # Errors
    /// [`InvalidServerUrl`]
    pub fn astranetmon(server_url: &str, token: &str) -> Result<Self, InvalidServerUrl> {
        const UNDER: &str = "ingest/v1/speedtest";
        let paths = ["garbage", "empty", "getIP"].map(|name| format!("{UNDER}/{name}"));
        let [download, empty, address] = &paths;
        Self::with_paths(server_url, download, empty, address)?.with_bearer(token)
    }

    /// Any other server of that protocol: paths relative to `url`.
    ///
    /// # Errors
    /// [`InvalidServerUrl`]
    pub fn with_paths(url: &str, download: &str, empty: &str, address: &str) -> Result<Self, InvalidServerUrl> {
        let mut base = Url::parse(url).map_err(|_| InvalidServerUrl::Url)?;
        let plain = base.username().is_empty()
            && base.password().is_none()
            && base.query().is_none()
            && base.fragment().is_none()
            && base.has_host();
        if !plain || !matches!(base.scheme(), "http" | "https") {
            return Err(InvalidServerUrl::Url);
        }
        // Without it, the last part of the path would be replaced and not continued.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let join = |path: &str| base.join(path.trim_start_matches('/')).map_err(|_| InvalidServerUrl::Url);
        Ok(Self {
            name: None,
            location: None,
            download: join(download)?,
            empty: join(empty)?,
            address: join(address)?,
            authorization: None,
        })
    }

    /// Sends `Authorization: Bearer <token>` with each request.
    ///
    /// # Errors
    /// [`InvalidServerUrl::Token`]
    pub fn with_bearer(mut self, token: &str) -> Result<Self, InvalidServerUrl> {
        let printable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| InvalidServerUrl::Token)?;
        value.set_sensitive(true);
        self.authorization = Some(value);
        if printable { Ok(self) } else { Err(InvalidServerUrl::Token) }
    }

    /// Its host, with the port if that is not the scheme's.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.download.host_str().unwrap_or_default();
        self.download.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

impl fmt::Debug for SpeedtestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SpeedtestServer").field("download", &self.download.as_str()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_continue_the_address_of_the_server() {
        for (url, download, host) in [
            ("https://speed.example.com", "https://speed.example.com/garbage.php", "speed.example.com"),
            ("https://speed.example.com/backend", "https://speed.example.com/backend/garbage.php", "speed.example.com"),
            ("http://[2001:db8::1]:8080/a/", "http://[2001:db8::1]:8080/a/garbage.php", "[2001:db8::1]:8080"),
        ] {
            let server = SpeedtestServer::librespeed(url).expect(url);
            assert_eq!((server.download.as_str(), server.host().as_str()), (download, host));
        }
        let own = SpeedtestServer::astranetmon("https://astra.example.com", "astra_agent_x").expect("valid");
        assert_eq!(own.address.as_str(), "https://astra.example.com/ingest/v1/speedtest/getIP");
        assert_eq!(own.authorization.as_ref().and_then(|value| value.to_str().ok()), Some("Bearer astra_agent_x"));
        assert!(!format!("{own:?}{:?}", own.authorization).contains("astra_agent_x"));
    }

    #[test]
    fn other_addresses_and_tokens_are_refused() {
        for url in ["", "speed.example.com", "ftp://a", "https://u:p@a/", "https://a/?q", "https://a/#f", "file:///a"] {
            assert_eq!(SpeedtestServer::librespeed(url), Err(InvalidServerUrl::Url), "{url}");
        }
        for token in ["", "a b", "a\nb", "ä"] {
            let server = SpeedtestServer::astranetmon("https://a", token);
            assert_eq!(server, Err(InvalidServerUrl::Token), "{token:?}");
        }
    }
}
