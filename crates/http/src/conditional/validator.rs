use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use astranetmon_auth::{Principal, ReadPermission, Scope};
use astranetmon_domain::{Plan, Retention, Timestamp};

use super::{Canonical, EntityTag, IfNoneMatch};
use crate::{ApiError, ApiState};

/// How long a caller may believe an answer without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// It asks each time; where nothing changed, the answer is 304.
    Asks,
    /// The answer is about a time of which no agent can send anything any more.
    Closed,
}

impl Freshness {
    /// Of an answer about the time before `end`, where an agent may send what is no older than `oldest_sent`.
    pub(crate) fn of_window(end: Timestamp, oldest_sent: Timestamp) -> Self {
        if end <= oldest_sent { Self::Closed } else { Self::Asks }
    }

    const fn cache_control(self) -> &'static str {
        match self {
            Self::Asks => "private, no-cache",
            // A day, since what is old goes some time.
            Self::Closed => "private, max-age=86400, immutable",
        }
    }
}

/// The longest that the caller's account may keep what agents send. It may have chosen less: what is closed by its plan
/// is closed all the more.
pub(crate) fn longest_kept(principal: &Principal) -> Retention {
    Retention::of_plan(match principal {
        Principal::Key(principal) => principal.plan,
        // The plan is not known, and no other keeps as much.
        Principal::Session(_) => Plan::Enterprise,
    })
}

/// A request whose answer follows from the account's data and from what it asks.
pub(crate) trait Tagged: Sized {
    /// What the caller must hold.
    type Permission: ReadPermission;
    /// Reads it.
    ///
    /// # Errors
    /// Those that the caller is told.
    fn read(request: &HttpRequest, state: &ApiState) -> Result<Self, ApiError>;

    /// Writes down all that the answer depends on, except for the account's data.
    fn describe(&self, asked: &mut Canonical);

    /// How long the answer may be believed.
    fn freshness(&self) -> Freshness {
        Freshness::Asks
    }

    /// What else the answer shows of the account whose data is at `version`, and what the passing of time alone changes:
    /// the statuses of its agents.
    ///
    /// # Errors
    /// Those of the storage.
    async fn passed(&self, _: &Scope<Self::Permission>, _: &ApiState, _version: i64) -> Result<i64, ApiError> {
        Ok(0)
    }

    /// Whether there is anything to answer with.
    ///
    /// # Errors
    /// Those of the storage.
    async fn exists(&self, _: &Scope<Self::Permission>, _: &ApiState) -> Result<bool, ApiError> {
        Ok(true)
    }
}

/// What a caller needs to ask again cheaply.
#[derive(Clone, Debug)]
pub(crate) struct Validator {
    tag: EntityTag,
    freshness: Freshness,
}

impl Validator {
    /// The answer with its tag and with how long it may be kept.
    pub(crate) fn mark(&self, mut response: HttpResponse) -> HttpResponse {
        self.insert(response.headers_mut(), self.tag.to_header_value());
        response
    }

    fn insert(&self, headers: &mut HeaderMap, tag: HeaderValue) {
        headers.insert(header::ETAG, tag);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.freshness.cache_control()));
    }
}

/// The validator of the answer to come. To be asked for before the first row is read: what is written meanwhile makes
/// the tag an old one of a new answer, which is asked for once more than need be, and never a new one of an old answer.
///
/// # Errors
/// Those of the storage.
pub(crate) async fn validator_of<T: Tagged>(
    asked: &T,
    scope: &Scope<T::Permission>,
    state: &ApiState,
) -> Result<Validator, ApiError> {
    let version = state.storage.data_version(&scope.see_changes()).await?;
    let mut canonical = Canonical::default();
    asked.describe(&mut canonical);
    canonical.number(asked.passed(scope, state, version).await?);
    let tag = EntityTag::new(&state.cursor_key, scope.account_id(), version, &canonical);
    Ok(Validator { tag, freshness: asked.freshness() })
}

/// The answer to a request, with its tag: the one that is kept, or the one that `make` makes.
///
/// # Errors
/// Those of the storage and of `make`.
pub(crate) async fn answer<T: Tagged>(
    asked: &T,
    scope: &Scope<T::Permission>,
    state: &ApiState,
    make: impl AsyncFnOnce() -> Result<HttpResponse, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let validator = validator_of(asked, scope, state).await?;
    let response = match state.kept_answers.get(&validator.tag) {
        Some(kept) => kept,
        None => state.kept_answers.keep(&validator.tag, make().await?),
    };
    Ok(validator.mark(response))
}

/// 304 if the caller has the answer already. `None` if it has not, or if the request is to fail: how, it is told where
/// it is counted.
pub(crate) async fn unchanged_of<T: Tagged>(
    condition: &IfNoneMatch,
    request: &HttpRequest,
    state: &ApiState,
) -> Option<HttpResponse> {
    let scope = request.extensions().get::<Principal>()?.authorize::<T::Permission>().ok()?;
    let asked = T::read(request, state).ok()?;
    let validator = validator_of(&asked, &scope, state).await.ok()?;
    let tag = condition.matched(&validator.tag)?;
    if *condition == IfNoneMatch::Any && !asked.exists(&scope, state).await.ok()? {
        return None;
    }
    let mut response = HttpResponse::NotModified().finish();
    validator.insert(response.headers_mut(), tag);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_closed_once_agents_can_send_nothing_of_it() {
        let at = Timestamp::from_seconds;
        assert_eq!(Freshness::of_window(at(10), at(10)), Freshness::Closed);
        assert_eq!(Freshness::of_window(at(11), at(10)), Freshness::Asks);
    }
}
