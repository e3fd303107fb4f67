use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use ipnet::IpNet;

use crate::state::ApiState;

/// The address that a request comes from: that of the connection, unless it is a trusted proxy's; then the entry that
/// the proxy added to `X-Forwarded-For`, and so on from the right, up to the first that no trusted proxy has.
///
/// Whatever stands further left is the caller's own invention. An entry that is no address ends the walk at the
/// proxy that passed it on.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut address = peer.to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_trusted(&address) {
        return address;
    }
    let lines: Vec<_> = headers.get_all(header::X_FORWARDED_FOR).collect();
    for line in lines.into_iter().rev() {
        let Ok(line) = line.to_str() else { return address };
        for entry in line.rsplit(',') {
            let Some(forwarded) = parse_entry(entry.trim()) else { return address };
            address = forwarded;
            if !is_trusted(&address) {
                return address;
            }
        }
    }
    address
}

/// The address that a request to this service comes from. Callers without an address (a Unix socket) share one.
pub(crate) fn client_of(state: &ApiState, request: &HttpRequest) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    client_address(peer, request.headers(), &state.settings.trusted_proxies)
}

/// `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, and the same with a port.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn an_address_is_believed_only_as_far_as_trusted_proxies_vouch_for_it() {
        let trusted: Vec<IpNet> =
            ["10.0.0.0/8", "2001:db8:aaaa::/48"].map(|network| network.parse().expect("network")).into();
        for (peer, forwarded, expected) in [
            // Nobody in front, or nobody who is trusted.
            ("198.51.100.7", &[][..], "198.51.100.7"),
            ("198.51.100.7", &["203.0.113.9"], "198.51.100.7"),
            ("198.51.100.7", &["10.0.0.1"], "198.51.100.7"),
            // One proxy, two proxies.
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("2001:db8:aaaa::1", &["2001:db8::77"], "2001:db8::77"),
            // The caller wrote the left part itself.
            ("10.0.0.1", &["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["10.0.0.5, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["garbage, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["127.0.0.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9", "10.0.0.2"], "203.0.113.9"),
            // Forms that proxies write.
            ("10.0.0.1", &["  203.0.113.9\t"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("10.0.0.1", &["[2001:db8::77]:4711"], "2001:db8::77"),
            ("10.0.0.1", &["[2001:db8::77]"], "2001:db8::77"),
            ("10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            // Nothing to go by: the proxy answers for it.
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, "], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, _hidden, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["203.0.113.9, 10.0.0.999"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9", "\u{e4}"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.4, 10.0.0.3, 10.0.0.2"], "10.0.0.4"),
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                let line = HeaderValue::from_bytes(line.as_bytes()).expect("header value");
                headers.append(header::X_FORWARDED_FOR, line);
            }
            let address = client_address(peer.parse().expect("address"), &headers, &trusted);
            assert_eq!(address.to_string(), expected, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn other_headers_that_name_an_address_are_not_read() {
        let mut headers = HeaderMap::new();
        headers.insert(header::FORWARDED, HeaderValue::from_static("for=203.0.113.9"));
        for name in ["x-real-ip", "cf-connecting-ip", "true-client-ip"] {
            headers.insert(header::HeaderName::from_static(name), HeaderValue::from_static("203.0.113.9"));
        }
        let proxy: IpAddr = "10.0.0.1".parse().expect("address");
        assert_eq!(client_address(proxy, &headers, &["10.0.0.0/8".parse().expect("network")]), proxy);
    }
}
