use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use astranetmon_ratelimit::InFlight;
use bytes::Bytes;

/// Answers up to so many bytes fit the buffers of a connection: the request is over once they are made.
const SMALL: u64 = 64 * 1024;

/// A body whose request is in flight until the last of it has been sent, or nobody wants it any more: what a slow
/// reader keeps in memory is bounded by the places of its key.
struct HeldPlace {
    body: BoxBody,
    _place: InFlight,
}

impl MessageBody for HeldPlace {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

/// The answer, which holds the request's place for as long as it takes to send.
pub(crate) fn held(response: HttpResponse, place: InFlight) -> HttpResponse {
    match response.body().size() {
        BodySize::None => response,
        BodySize::Sized(bytes) if bytes <= SMALL => response,
        BodySize::Sized(_) | BodySize::Stream => {
            response.map_body(|_, body| HeldPlace { body, _place: place }).map_into_boxed_body()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use actix_web::body::{BodyStream, to_bytes};
    use astranetmon_domain::ApiKeyId;
    use astranetmon_ratelimit::ConcurrencyGuard;
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn a_large_answer_holds_its_place_until_it_is_sent_or_given_up() {
        let guard = ConcurrencyGuard::new(1, Duration::from_millis(1));
        let key = ApiKeyId(1);
        let slices = || BodyStream::new(stream::iter(["a", "b"].map(|text| Ok::<_, Infallible>(Bytes::from(text)))));
        let ok = HttpResponse::Ok;
        for (response, holds) in [
            (ok().finish(), false),
            (ok().body(vec![b'x'; 65_536]), false),
            (ok().body(vec![b'x'; 65_537]), true),
            (ok().body(slices()), true),
        ] {
            let size = response.body().size();
            let response = held(response, guard.enter(key).await.expect("free"));
            assert_eq!(response.body().size(), size);
            assert_eq!(guard.enter(key).await.is_none(), holds, "{size:?}");
            drop(response);
            assert!(guard.enter(key).await.is_some(), "{size:?}");
        }
        let response = held(ok().body(slices()), guard.enter(key).await.expect("free"));
        assert_eq!(to_bytes(response.into_body()).await.expect("sent"), "ab");
        assert!(guard.enter(key).await.is_some());
    }
}
