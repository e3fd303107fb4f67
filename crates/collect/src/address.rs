use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Which of the two internet protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    /// That of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    /// 4 or 6, as records say it.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }
}

/// Longest that the system's resolver is waited for.
const RESOLVE_WAIT: Duration = Duration::from_secs(5);

/// The address of `host`, a name or an address itself: the first that the system prefers, of `version` if given.
///
/// # Errors
/// A sentence for people.
pub(crate) async fn resolve(host: &str, version: Option<IpVersion>) -> Result<IpAddr, String> {
    let fits = |address: &IpAddr| version.is_none_or(|version| IpVersion::of(*address) == version);
    let of_version = |what: &str| match version {
        Some(version) => format!("{what} of IPv{}", version.number()),
        None => what.to_owned(),
    };
    if let Ok(address) = host.parse::<IpAddr>() {
        return if fits(&address) { Ok(address) } else { Err(format!("{host} is no {}.", of_version("address"))) };
    }
    let found = tokio::time::timeout(RESOLVE_WAIT, tokio::net::lookup_host((host, 0))).await;
    match found {
        Ok(Ok(addresses)) => addresses
            .map(|address: SocketAddr| address.ip().to_canonical())
            .find(fits)
            .ok_or_else(|| format!("The name {host} has no {}.", of_version("address"))),
        Ok(Err(error)) => Err(format!("The name {host} could not be resolved: {}.", system_text(&error))),
        Err(_) => Err(format!("The name {host} was not resolved within {} seconds.", RESOLVE_WAIT.as_secs())),
    }
}

/// The operating system's words for an error, without its number, fit for the middle of a sentence.
pub(crate) fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_is_its_own_and_must_be_of_the_version_that_is_asked_for() {
        // (host, version, expected)
        for (host, version, expected) in [
            ("192.0.2.1", None, Ok("192.0.2.1")),
            ("192.0.2.1", Some(IpVersion::V4), Ok("192.0.2.1")),
            ("192.0.2.1", Some(IpVersion::V6), Err("192.0.2.1 is no address of IPv6.")),
            ("2001:db8::1", None, Ok("2001:db8::1")),
            ("2001:db8::1", Some(IpVersion::V4), Err("2001:db8::1 is no address of IPv4.")),
        ] {
            let expected = expected.map(|text| text.parse().expect("an address")).map_err(str::to_owned);
            assert_eq!(resolve(host, version).await, expected, "{host} {version:?}");
        }
        let error = resolve("no such name", None).await.expect_err("a name with spaces");
        assert!(error.starts_with("The name no such name could not be resolved: "), "{error}");
    }

    #[test]
    fn an_error_of_the_system_is_told_without_its_number() {
        let refused = std::io::Error::from_raw_os_error(111);
        assert!(!system_text(&refused).contains("os error"), "{}", system_text(&refused));
    }
}
