use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use rand::Rng;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;

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
        let mut rng = UnwrapErr(SysRng);
        let text = format!("{:016x}{:016x}", rng.next_u64(), rng.next_u64());
        Self(HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("0")))
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
