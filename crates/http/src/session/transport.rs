use std::net::IpAddr;

use actix_web::http::header::{self, HeaderMap};
use ipnet::IpNet;

/// Whether nobody on the way can read the request: it came over TLS to this process or to a trusted proxy, or it never
/// left the machine. Browsers keep secure cookies of `localhost` and of no other plain address.
#[must_use]
pub fn is_private(tls: bool, peer: Option<IpAddr>, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> bool {
    if tls {
        return true;
    }
    let Some(peer) = peer.map(|peer| peer.to_canonical()) else { return false };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let was_forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "via"]
        .iter()
        .any(|name| headers.contains_key(*name));
    if was_forwarded {
        // The nearest proxy writes last.
        let scheme = text("x-forwarded-proto").and_then(|schemes| schemes.rsplit(',').next()).map(str::trim);
        let is_trusted = trusted_proxies.iter().any(|network| network.contains(&peer));
        return is_trusted && scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    }
    peer.is_loopback() && text(header::HOST.as_str()).is_some_and(is_local_host)
}

fn is_local_host(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn plain_http_is_private_on_the_machine_itself_and_behind_a_trusted_proxy_that_speaks_tls() {
        let trusted: [IpNet; 1] = ["10.0.0.0/8".parse().expect("a network")];
        for (tls, peer, lines, expected) in [
            (true, "198.51.100.7", &[][..], true),
            (false, "198.51.100.7", &[("host", "localhost:8080")], false),
            (false, "127.0.0.1", &[("host", "localhost:8080")], true),
            (false, "::ffff:127.0.0.1", &[("host", "LOCALHOST")], true),
            (false, "::1", &[("host", "[::1]:8080")], true),
            (false, "127.0.0.1", &[("host", "127.0.0.1:8080")], true),
            (false, "127.0.0.1", &[("host", "monitoring.example.com")], false),
            (false, "127.0.0.1", &[("host", "localhost.example.com")], false),
            (false, "127.0.0.1", &[], false),
            // A proxy on this machine that nobody vouched for.
            (false, "127.0.0.1", &[("host", "localhost"), ("x-forwarded-for", "198.51.100.7")], false),
            (false, "127.0.0.1", &[("host", "localhost"), ("x-forwarded-proto", "https")], false),
            (false, "10.0.0.1", &[("host", "x"), ("x-forwarded-proto", "https")], true),
            (false, "10.0.0.1", &[("host", "x"), ("x-forwarded-proto", "https, http")], false),
            (false, "10.0.0.1", &[("host", "x"), ("x-forwarded-proto", "http")], false),
            (false, "10.0.0.1", &[("host", "localhost")], false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            let peer = Some(peer.parse().expect("an address"));
            assert_eq!(is_private(tls, peer, &headers, &trusted), expected, "{peer:?} {lines:?}");
        }
    }
}
