//! Preferences that callers send: `Accept` and `Accept-Encoding`.

use actix_web::http::header::{HeaderMap, HeaderName};

/// One preference: what is named, in lower case, and how much it is wanted, in thousandths; 0 is not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preference {
    pub(crate) name: String,
    pub(crate) weight: u16,
}

/// The preferences in all headers of that name, in their order. `None` if there is no such header. Parameters other
/// than `q` are passed over, and so is what cannot be read.
pub(crate) fn preferences(headers: &HeaderMap, header: &HeaderName) -> Option<Vec<Preference>> {
    if !headers.contains_key(header) {
        return None;
    }
    let values = headers.get_all(header).filter_map(|value| value.to_str().ok());
    Some(values.flat_map(|value| value.split(',')).filter_map(preference).collect())
}

fn preference(text: &str) -> Option<Preference> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some(Preference { name, weight: weight.map_or(Some(1_000), thousandths)? })
}

/// `0`, `1`, and both with up to three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = decimals.len() <= 3 && decimals.bytes().all(|byte| byte.is_ascii_digit());
    let rest = format!("{decimals:0<3}").parse().ok().filter(|_| digits)?;
    match (whole, rest) {
        ("0", rest) => Some(rest),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{ACCEPT, HeaderValue};

    use super::*;

    #[test]
    fn weights_are_read_and_what_is_broken_is_passed_over() {
        for (sent, expected) in [
            ("", &[][..]),
            ("text/csv", &[("text/csv", 1_000)]),
            ("Text/CSV;header=present;q=0.5, */*;q=0", &[("text/csv", 500), ("*/*", 0)]),
            ("a;q=1.000,b;q=0.125,c;Q=0.1", &[("a", 1_000), ("b", 125), ("c", 100)]),
            ("a;q=2,b;q=x,c;q=0.1234,d;q=1.1,e;q=-1,f;q=,g", &[("g", 1_000)]),
            (" , ;q=1,,a ; q=0.9", &[("a", 900)]),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(sent).expect("header value"));
            let read = preferences(&headers, &ACCEPT).expect("there");
            let read: Vec<_> = read.iter().map(|one| (one.name.as_str(), one.weight)).collect();
            assert_eq!(read, expected, "{sent}");
        }
        assert_eq!(preferences(&HeaderMap::new(), &ACCEPT), None);
    }
}
