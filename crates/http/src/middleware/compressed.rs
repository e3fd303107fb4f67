use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};
use brotli::CompressorWriter;
use brotli::enc::BrotliEncoderParams;
use bytes::Bytes;
use flate2::write::GzEncoder;

use crate::negotiation::preferences;

/// Shorter answers are not worth it.
const SHORTEST: u64 = 1_024;
/// What an encoder looks back on, as a power of two: two slices of a long answer. More would cost each slow reader more
/// memory than it saves on the wire.
const WINDOW_BITS: u8 = 17;
/// Of brotli, whose higher ones are slower than the network that they spare.
const BROTLI_QUALITY: i32 = 2;

/// How an answer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Zstd,
    Gzip,
    Br,
}

impl Coding {
    /// Every coding; a caller who wants several alike gets the first of them.
    const ALL: [Self; 3] = [Self::Zstd, Self::Gzip, Self::Br];

    const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Br => "br",
        }
    }

    /// The one that the caller likes best; `None` if it would rather have an answer as it is.
    fn asked(headers: &HeaderMap) -> Option<Self> {
        let preferences = preferences(headers, &header::ACCEPT_ENCODING)?;
        let named = |name: &str| preferences.iter().find(|one| one.name == name).map(|one| one.weight);
        let wanted = |coding: Self| named(coding.name()).or_else(|| named("*")).unwrap_or(0);
        let mut best: Option<Self> = None;
        for coding in Self::ALL {
            if wanted(coding) > best.map_or(0, wanted) {
                best = Some(coding);
            }
        }
        best.filter(|best| wanted(*best) >= named("identity").unwrap_or(0))
    }
}

/// A text that is being compressed, slice by slice.
enum Encoder {
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
    Gzip(GzEncoder<Vec<u8>>),
    Br(Box<CompressorWriter<Vec<u8>>>),
}

impl Encoder {
    fn new(coding: Coding) -> io::Result<Self> {
        Ok(match coding {
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
                encoder.window_log(WINDOW_BITS.into())?;
                Self::Zstd(encoder)
            }
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::fast())),
            Coding::Br => {
                let (quality, lgwin) = (BROTLI_QUALITY, WINDOW_BITS.into());
                let parameters = BrotliEncoderParams { quality, lgwin, ..BrotliEncoderParams::default() };
                Self::Br(Box::new(CompressorWriter::with_params(Vec::new(), 4_096, &parameters)))
            }
        })
    }

    /// All that the slice becomes, so that a reader has what was sent to it.
    fn push(&mut self, slice: &[u8]) -> io::Result<Vec<u8>> {
        fn through<W: Write>(encoder: &mut W, slice: &[u8]) -> io::Result<()> {
            encoder.write_all(slice)?;
            encoder.flush()
        }
        Ok(std::mem::take(match self {
            Self::Zstd(encoder) => {
                through(encoder, slice)?;
                encoder.get_mut()
            }
            Self::Gzip(encoder) => {
                through(encoder, slice)?;
                encoder.get_mut()
            }
            Self::Br(encoder) => {
                through(encoder, slice)?;
                encoder.get_mut()
            }
        }))
    }

    /// What ends the text.
    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Zstd(encoder) => encoder.finish(),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Br(encoder) => Ok(encoder.into_inner()),
        }
    }
}

/// A whole text.
fn compress(coding: Coding, text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(coding)?;
    match &mut encoder {
        Encoder::Zstd(encoder) => {
            encoder.set_pledged_src_size(Some(text.len() as u64))?;
            encoder.write_all(text)?;
        }
        Encoder::Gzip(encoder) => encoder.write_all(text)?,
        Encoder::Br(encoder) => encoder.write_all(text)?,
    }
    encoder.finish()
}

/// A body that is compressed while it is sent.
struct Compressed {
    body: BoxBody,
    /// None once the text has ended.
    encoder: Option<Encoder>,
}

impl MessageBody for Compressed {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        loop {
            let Some(mut encoder) = self.encoder.take() else { return Poll::Ready(None) };
            let next = match Pin::new(&mut self.body).poll_next(context) {
                Poll::Pending => {
                    self.encoder = Some(encoder);
                    return Poll::Pending;
                }
                Poll::Ready(next) => next,
            };
            let compressed = match next {
                Some(slice) => {
                    let compressed = encoder.push(&slice?)?;
                    self.encoder = Some(encoder);
                    compressed
                }
                None => encoder.finish()?,
            };
            // Nothing to send is no end.
            if !compressed.is_empty() {
                return Poll::Ready(Some(Ok(compressed.into())));
            }
        }
    }
}

/// Compresses what is worth it, as the caller likes it best.
pub(crate) async fn compressed(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse, Error> {
    let coding = Coding::asked(request.headers());
    let (request, response) = next.call(request).await?.into_parts();
    let response = match coding {
        Some(coding) if is_worth_it(&response) => coded(response, coding),
        _ => response,
    };
    Ok(ServiceResponse::new(request, response))
}

fn is_worth_it(response: &HttpResponse) -> bool {
    let long = match response.body().size() {
        BodySize::None => false,
        BodySize::Sized(bytes) => bytes >= SHORTEST,
        BodySize::Stream => true,
    };
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // Files of their own kind are compressed already.
    let is_file = kind.starts_with("application/vnd.");
    let is_text = kind.starts_with("text/") || (kind.starts_with("application/") && !is_file);
    long && is_text && response.status() == StatusCode::OK && !response.headers().contains_key(header::CONTENT_ENCODING)
}

fn coded(response: HttpResponse, coding: Coding) -> HttpResponse {
    let (mut response, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(whole) => match compress(coding, &whole) {
            Ok(shorter) if shorter.len() < whole.len() => BoxBody::new(shorter),
            _ => return response.set_body(BoxBody::new(whole)),
        },
        Err(body) => match Encoder::new(coding) {
            Ok(encoder) => BoxBody::new(Compressed { body, encoder: Some(encoder) }),
            Err(_) => return response.set_body(body),
        },
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    // Other bytes, another strong tag.
    let marked = headers
        .get(header::ETAG)
        .and_then(|tag| tag.to_str().ok()?.strip_suffix('"'))
        .map(|tag| HeaderValue::try_from(format!("{tag}-{}\"", coding.name())));
    if let Some(Ok(marked)) = marked {
        headers.insert(header::ETAG, marked);
    }
    response.set_body(body)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Read;

    use actix_web::body::BodyStream;
    use futures_util::stream;

    use super::*;

    fn unpacked(coding: Coding, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        match coding {
            Coding::Zstd => ruzstd::decoding::StreamingDecoder::new(bytes).expect("zstd").read_to_end(&mut text),
            Coding::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut text),
            Coding::Br => brotli::Decompressor::new(bytes, 4_096).read_to_end(&mut text),
        }
        .expect("well-formed");
        text
    }

    #[test]
    fn a_coding_is_chosen_by_weight_then_by_speed() {
        for (accepted, expected) in [
            ("", None),
            ("identity", None),
            ("deflate, compress", None),
            ("gzip", Some(Coding::Gzip)),
            ("GZip", Some(Coding::Gzip)),
            ("gzip, deflate, br", Some(Coding::Gzip)),
            ("gzip, deflate, br, zstd", Some(Coding::Zstd)),
            ("br", Some(Coding::Br)),
            ("br;q=1, gzip;q=0.9, zstd;q=0.8", Some(Coding::Br)),
            ("zstd;q=0, gzip;q=0.001", Some(Coding::Gzip)),
            ("gzip;q=0", None),
            ("*", Some(Coding::Zstd)),
            ("*, zstd;q=0", Some(Coding::Gzip)),
            ("*;q=0, br", Some(Coding::Br)),
            ("gzip;q=0.5, identity", None),
            ("gzip;q=0.5, identity;q=0.5", Some(Coding::Gzip)),
            ("gzip;q=broken", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(accepted).expect("header value"));
            assert_eq!(Coding::asked(&headers), expected, "{accepted}");
        }
        assert_eq!(Coding::asked(&HeaderMap::new()), None);
    }

    fn rows(count: usize) -> String {
        (0..count)
            .map(|row| format!("{{\"agent_id\":\"agent-{}\",\"cpu_percent\":{}.25}},", row % 7, row % 100))
            .collect()
    }

    #[test]
    fn a_whole_answer_keeps_its_length_and_text() {
        for coding in Coding::ALL {
            let text = rows(200);
            let answer = HttpResponse::Ok().content_type("application/json").body(text.clone());
            assert!(is_worth_it(&answer));
            let answer = coded(answer, coding);
            assert_eq!(answer.headers().get(header::CONTENT_ENCODING).expect("there"), coding.name());
            let BodySize::Sized(length) = answer.body().size() else { panic!("a length") };
            let bytes = answer.into_body().try_into_bytes().expect("whole");
            assert_eq!(length, bytes.len() as u64);
            assert!(bytes.len() * 4 < text.len(), "{coding:?}: {}", bytes.len());
            assert_eq!(unpacked(coding, &bytes), text.as_bytes());
        }
    }

    #[tokio::test]
    async fn slices_are_sent_as_they_come_and_make_one_text() {
        for coding in Coding::ALL {
            let slices: Vec<String> = (0..20).map(|_| rows(1_500)).collect();
            let sent = slices.clone().into_iter().map(|slice| Ok::<_, io::Error>(Bytes::from(slice)));
            let answer = HttpResponse::Ok()
                .content_type("application/json")
                .insert_header((header::ETAG, "\"tag\""))
                .body(BodyStream::new(stream::iter(sent)));
            let answer = coded(answer, coding);
            let tag = format!("\"tag-{}\"", coding.name());
            assert_eq!(answer.headers().get(header::ETAG).expect("there"), tag.as_str());
            assert_eq!(answer.body().size(), BodySize::Stream);
            let (mut body, mut bytes, mut count) = (answer.into_body(), Vec::new(), 0);
            while let Some(slice) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
                bytes.extend(slice.expect("a slice"));
                count += 1;
            }
            assert!((slices.len()..=slices.len() + 1).contains(&count), "{coding:?}: {count}");
            assert_eq!(unpacked(coding, &bytes), slices.concat().as_bytes(), "{coding:?}");
            assert!(bytes.len() * 4 < slices.concat().len(), "{coding:?}: {}", bytes.len());
        }
    }

    #[test]
    fn what_is_short_or_no_text_or_compressed_is_left_alone() {
        let ok = || HttpResponse::Ok();
        let (long, short) = ("x".repeat(1_024), "x".repeat(1_023));
        for (answer, expected) in [
            (ok().content_type("text/csv").body(long.clone()), true),
            (ok().content_type("text/csv").body(short), false),
            (ok().content_type("image/png").body(long.clone()), false),
            (ok().body(BoxBody::new(long.clone())), false),
            (ok().content_type("text/css").insert_header((header::CONTENT_ENCODING, "br")).body(long.clone()), false),
            (HttpResponse::InternalServerError().content_type("application/json").body(long.clone()), false),
            (HttpResponse::NotModified().content_type("application/json").finish(), false),
        ] {
            assert_eq!(is_worth_it(&answer), expected);
        }
        // Noise does not shrink.
        let mut state = 1_u32;
        let noise: Vec<u8> = (0..4_096)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect();
        let answer = coded(ok().content_type("text/csv").body(noise.clone()), Coding::Gzip);
        assert_eq!(answer.headers().get(header::CONTENT_ENCODING), None);
        assert_eq!(answer.into_body().try_into_bytes().expect("whole"), noise);
    }
}
