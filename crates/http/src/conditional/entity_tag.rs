use std::sync::LazyLock;

use actix_web::http::header::HeaderValue;
use astranetmon_domain::{AccountId, TimeRange, Timestamp};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Bytes of the signature that a tag shows.
const TAG_LENGTH: usize = 16;

/// The shape of answers: a program that answers otherwise makes other tags.
static SHAPE: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(crate::openapi::pretty_document());
    hash.finalize().into()
});

/// What was asked for, as bytes: two requests with the same ones have the same answer.
#[derive(Debug, Default)]
pub(crate) struct Canonical(Vec<u8>);

impl Canonical {
    /// A text; its length stands before it, so that no two requests are written alike.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.number(text.len() as i64);
        self.0.extend(text.as_bytes());
        self
    }

    pub(crate) fn optional_text(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.number(1).text(text),
            None => self.number(0),
        }
    }

    pub(crate) fn number(&mut self, number: i64) -> &mut Self {
        self.0.extend(number.to_be_bytes());
        self
    }

    pub(crate) fn range(&mut self, range: &TimeRange) -> &mut Self {
        for moment in [range.start, range.end] {
            self.number(i64::from(moment.is_some())).number(moment.map_or(0, Timestamp::as_micros));
        }
        self
    }

    /// What `write` appends.
    pub(crate) fn written(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> &mut Self {
        let mut bytes = Vec::new();
        write(&mut bytes);
        self.number(bytes.len() as i64);
        self.0.extend(bytes);
        self
    }
}

/// A strong entity tag, without its quotes and without the mark of a content coding. Nobody else can make one, and
/// nobody can read in it how often an account's data changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct EntityTag(String);

impl EntityTag {
    pub(crate) fn new(key: &[u8; 32], account: AccountId, version: i64, asked: &Canonical) -> Self {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
        // Cursors are signed with the same key; no cursor begins so.
        mac.update(b"entity tag");
        mac.update(&*SHAPE);
        mac.update(&account.0.to_be_bytes());
        mac.update(&version.to_be_bytes());
        mac.update(&asked.0);
        Self(BASE64_URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..TAG_LENGTH]))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// In quotes, for an answer that is not compressed.
    pub(crate) fn to_header_value(&self) -> HeaderValue {
        HeaderValue::try_from(format!("\"{}\"", self.0)).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn tag(key: &[u8; 32], account: i64, version: i64, write: impl Fn(&mut Canonical)) -> EntityTag {
        let mut asked = Canonical::default();
        write(&mut asked);
        EntityTag::new(key, AccountId(account), version, &asked)
    }

    #[test]
    fn a_tag_is_another_one_for_whatever_the_answer_depends_on() {
        let range = TimeRange { start: Some(Timestamp::from_micros(0)), end: None };
        let tags = [
            tag(&KEY, 1, 1, |asked| _ = asked.text("a").text("")),
            tag(&[8; 32], 1, 1, |asked| _ = asked.text("a").text("")),
            tag(&KEY, 2, 1, |asked| _ = asked.text("a").text("")),
            tag(&KEY, 1, 2, |asked| _ = asked.text("a").text("")),
            tag(&KEY, 1, 1, |asked| _ = asked.text("").text("a")),
            tag(&KEY, 1, 1, |asked| _ = asked.optional_text(None)),
            tag(&KEY, 1, 1, |asked| _ = asked.optional_text(Some(""))),
            tag(&KEY, 1, 1, |asked| _ = asked.range(&TimeRange::ALL)),
            tag(&KEY, 1, 1, |asked| _ = asked.range(&range)),
        ];
        for (at, one) in tags.iter().enumerate() {
            assert!(tags[at + 1..].iter().all(|other| one != other), "{at}");
            assert_eq!(one.as_str().len(), 22);
        }
        assert_eq!(tags[0], tag(&KEY, 1, 1, |asked| _ = asked.text("a").text("")));
    }
}
