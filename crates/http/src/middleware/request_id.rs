use std::cell::RefCell;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use rand::rand_core::UnwrapErr;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng};

pub(crate) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const MAX_LENGTH: usize = 128;

/// What ties an answer to its log lines: the caller's own `X-Request-Id` if it is 1 to 128 of `[A-Za-z0-9._-]`, else
/// 32 random hexadecimal digits. In every request's extensions.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(&X_REQUEST_ID);
        match (sent.next(), sent.next()) {
            (Some(id), None) if well_formed(id.as_bytes()) => Self(id.clone()),
            _ => Self::random(),
        }
    }

    fn random() -> Self {
        thread_local! {
            // To ask the operating system for each request takes as long as to look up its key.
            static RANDOM: RefCell<StdRng> = RefCell::new(StdRng::from_rng(&mut UnwrapErr(SysRng)));
        }
        let mut bytes = [0; 16];
        RANDOM.with_borrow_mut(|random| random.fill_bytes(&mut bytes));
        let mut text = [0; 32];
        for (digits, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
            *digits = [byte >> 4, byte & 15].map(|digit| b"0123456789abcdef"[usize::from(digit)]);
        }
        Self(HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("0")))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(crate) fn to_header_value(&self) -> HeaderValue {
        self.0.clone()
    }
}

fn well_formed(id: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id_for(sent: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in sent {
            headers.append(X_REQUEST_ID.clone(), HeaderValue::from_str(value).expect("header value"));
        }
        RequestId::of(&headers).as_str().to_owned()
    }

    #[test]
    fn a_well_formed_id_of_the_caller_is_taken() {
        for id in ["a", "A.b_c-9", "01890a5d-ac96-774b-bcce-b302099a8057", &"x".repeat(128)] {
            assert_eq!(id_for(&[id]), id);
        }
    }

    #[test]
    fn any_other_is_replaced_by_a_random_one() {
        for sent in [&[][..], &[""], &["a b"], &["a/b"], &["a\"b"], &[&"x".repeat(129)], &["one", "two"]] {
            let id = id_for(sent);
            assert_eq!(id.len(), 32, "{sent:?}");
            assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{sent:?}");
            assert_ne!(id, id_for(sent));
        }
    }
}
