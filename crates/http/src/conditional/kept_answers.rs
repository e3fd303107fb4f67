use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{HeaderName, HeaderValue};
use bytes::Bytes;
use moka::sync::Cache;

use super::EntityTag;

/// Bytes of all bodies that are kept.
const MOST_BYTES: u64 = 32 * 1024 * 1024;
/// Larger answers are not kept: few of them would push out all others.
const LARGEST_BODY: u64 = 256 * 1024;
/// What a body takes beside its bytes.
const AROUND_BODY: u32 = 512;

/// Answers that were given a moment ago, by their tags. A tag names the account, the version of its data and all that was
/// asked for, so that an answer is never older than a 304 in its place would be, and is nobody else's.
#[derive(Debug)]
pub(crate) struct KeptAnswers(Cache<EntityTag, Kept>);

#[derive(Clone, Debug)]
struct Kept {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Default for KeptAnswers {
    fn default() -> Self {
        let weight = |_: &EntityTag, kept: &Kept| u32::try_from(kept.body.len()).unwrap_or(u32::MAX) + AROUND_BODY;
        Self(Cache::builder().max_capacity(MOST_BYTES).weigher(weight).build())
    }
}

impl KeptAnswers {
    pub(crate) fn get(&self, tag: &EntityTag) -> Option<HttpResponse> {
        let kept = self.0.get(tag)?;
        let mut response = HttpResponse::Ok();
        kept.headers.into_iter().for_each(|header| _ = response.insert_header(header));
        Some(response.body(kept.body))
    }

    /// Keeps an answer, unless it is a large one or one that is written while it is sent; the answer is given back.
    pub(crate) fn keep(&self, tag: &EntityTag, response: HttpResponse) -> HttpResponse {
        if !matches!(response.body().size(), BodySize::Sized(bytes) if bytes <= LARGEST_BODY) {
            return response;
        }
        let (head, body) = response.into_parts();
        match body.try_into_bytes() {
            Ok(body) => {
                let headers = head.headers().iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                self.0.insert(tag.clone(), Kept { headers, body: body.clone() });
                head.set_body(BoxBody::new(body))
            }
            Err(body) => head.set_body(body),
        }
    }
}
