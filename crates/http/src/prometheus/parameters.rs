use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::{FromRequest, HttpRequest, web};
use astranetmon_domain::{Timestamp, parse_moment};

use crate::error::FORM_BODY;
use crate::query::decode;
use crate::{ApiError, ApiState};

const FORM: &str = "application/x-www-form-urlencoded";
/// The greatest moment and length that are taken, in seconds: beyond the year 9999.
const MOST_SECONDS: f64 = 300_000_000_000.0;

/// Names and values from the query string and, of a `POST`, from its body. As in Prometheus, names that nobody knows are
/// passed over, since clients send such.
#[derive(Debug)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(&mut self, text: &str) -> Result<(), ApiError> {
        for piece in text.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            self.0.push((decode(name)?, decode(value)?));
        }
        Ok(())
    }

    /// The first value of a name; one that is empty is as good as none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// All values of a name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// [`ApiError::BadRequest`] if there is none.
    pub(super) fn needed(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| invalid(name, "it is needed here"))
    }

    /// A moment in milliseconds since 1970, given in seconds or as RFC 3339.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for any other text.
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let moment = match text.parse::<f64>() {
            Ok(seconds) if seconds.abs() <= MOST_SECONDS => Some((seconds * 1_000.0).round() as i64),
            Ok(_) => None,
            // Absolute ones alone: what is relative begins with another letter.
            Err(_) if text.starts_with(|letter: char| letter.is_ascii_digit()) => {
                parse_moment(text, Timestamp::MIN).ok().map(|moment| moment.as_micros().div_euclid(1_000))
            }
            Err(_) => None,
        };
        let bad = || invalid(name, &format!("cannot parse {text:?} to a valid timestamp, such as 1795433218.5"));
        moment.map(Some).ok_or_else(bad)
    }

    /// A length of time in milliseconds, given in seconds or as `1m30s`.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for any other text, and unless it is longer than nothing.
    pub(super) fn length(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let millis = match text.parse::<f64>() {
            Ok(seconds) if seconds.abs() <= MOST_SECONDS => Some((seconds * 1_000.0).round() as i64),
            Ok(_) => None,
            Err(_) => astranetmon_promql::parse_duration(text),
        };
        let millis = millis
            .ok_or_else(|| invalid(name, &format!("cannot parse {text:?} to a valid duration, such as 15 or 1m30s")))?;
        if millis <= 0 {
            return Err(invalid(name, "zero or negative lengths of time are not accepted: try 15s"));
        }
        Ok(Some(millis))
    }

    /// How many entries are wanted at most; 0 is as good as none.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for what is no whole number.
    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        match self.get("limit").map(str::parse::<usize>) {
            None | Some(Ok(0)) => Ok(usize::MAX),
            Some(Ok(limit)) => Ok(limit),
            Some(Err(_)) => Err(invalid("limit", "a limit is a whole number, such as 1000")),
        }
    }
}

pub(super) fn invalid(name: &str, reason: &str) -> ApiError {
    ApiError::BadRequest(format!("invalid parameter {name:?}: {reason}"))
}

impl FromRequest for Parameters {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_form = request.headers().get(header::CONTENT_TYPE).is_some_and(|given| {
            let media = given.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
            media.eq_ignore_ascii_case(FORM)
        });
        let body = (*request.method() == Method::POST).then(|| web::Bytes::from_request(request, payload));
        let query = request.query_string().to_owned();
        Box::pin(async move {
            let mut form = Self(Vec::new());
            form.read(&query)?;
            if let Some(body) = body {
                let body = body.await.map_err(|_| ApiError::PayloadTooLarge(FORM_BODY))?;
                if !body.is_empty() {
                    if !is_form {
                        return Err(ApiError::UnsupportedMediaType(FORM_BODY));
                    }
                    let text = std::str::from_utf8(&body);
                    form.read(text.map_err(|_| ApiError::BadRequest("Malformed form: text is UTF-8".to_owned()))?)?;
                }
            }
            Ok(form)
        })
    }
}

/// The span of time that a form names, its ends included, in milliseconds; all of time if it names none.
///
/// # Errors
/// [`ApiError::BadRequest`] for a span that ends before it starts.
pub(super) fn span(given: &Parameters) -> Result<(Option<i64>, Option<i64>), ApiError> {
    let (start, end) = (given.time("start")?, given.time("end")?);
    match (start, end) {
        (Some(start), Some(end)) if end < start => {
            Err(invalid("end", "end timestamp must not be before start timestamp"))
        }
        span => Ok(span),
    }
}

/// The current time as an instant query without a time takes it, in milliseconds.
pub(super) fn now(state: &ApiState) -> i64 {
    state.clock.now().as_micros().div_euclid(1_000)
}
