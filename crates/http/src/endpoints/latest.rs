//! The newest that agents measured, as far as the caller may read it.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use astranetmon_auth::{
    Permission, Principal, ReadMetrics, ReadPermission, ReadSpeedtests, ReadTraceroutes, Scope, SeeChanges,
};
use futures_util::future::try_join3;

use crate::conditional::Canonical;
use crate::encode::Latest;
use crate::{ApiError, ApiState};

/// The permissions for what agents measured, as many as the caller has.
#[derive(Clone, Debug)]
pub(crate) struct LatestScopes {
    metrics: Option<Scope<ReadMetrics>>,
    speedtests: Option<Scope<ReadSpeedtests>>,
    traceroutes: Option<Scope<ReadTraceroutes>>,
}

impl LatestScopes {
    /// # Errors
    /// [`ApiError::Unauthorized`] if nobody has authenticated.
    pub(crate) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let extensions = request.extensions();
        let principal = extensions.get::<Principal>().ok_or(ApiError::Unauthorized { token_sent: false })?;
        Ok(Self {
            metrics: principal.authorize().ok(),
            speedtests: principal.authorize().ok(),
            traceroutes: principal.authorize().ok(),
        })
    }

    /// Writes down which parts of the answer are there.
    pub(crate) fn describe(&self, asked: &mut Canonical) {
        for there in [self.metrics.is_some(), self.speedtests.is_some(), self.traceroutes.is_some()] {
            asked.number(i64::from(there));
        }
    }

    /// Those of metrics, speed tests and traceroutes that are chosen.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] if the caller lacks one of them.
    pub(crate) fn only(self, chosen: [bool; 3]) -> Result<Self, ApiError> {
        fn pick<P: ReadPermission>(held: Option<Scope<P>>, chosen: bool) -> Result<Option<Scope<P>>, ApiError> {
            if chosen && held.is_none() {
                return Err(ApiError::Forbidden { missing: P::PERMISSION });
            }
            Ok(held.filter(|_| chosen))
        }
        let [metrics, speedtests, traceroutes] = chosen;
        Ok(Self {
            metrics: pick(self.metrics, metrics)?,
            speedtests: pick(self.speedtests, speedtests)?,
            traceroutes: pick(self.traceroutes, traceroutes)?,
        })
    }

    /// To see when any of it changes.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`] if there is none of it.
    pub(crate) fn see_changes(&self) -> Result<Scope<SeeChanges>, ApiError> {
        let (metrics, speedtests) = (self.metrics.as_ref(), self.speedtests.as_ref());
        metrics
            .map(Scope::see_changes)
            .or_else(|| speedtests.map(Scope::see_changes))
            .or_else(|| self.traceroutes.as_ref().map(Scope::see_changes))
            .ok_or(ApiError::Forbidden { missing: Permission::ReadMetrics })
    }

    pub(crate) const fn metrics(&self) -> Option<&Scope<ReadMetrics>> {
        self.metrics.as_ref()
    }

    pub(crate) const fn speedtests(&self) -> Option<&Scope<ReadSpeedtests>> {
        self.speedtests.as_ref()
    }

    pub(crate) const fn traceroutes(&self) -> Option<&Scope<ReadTraceroutes>> {
        self.traceroutes.as_ref()
    }

    /// The newest of each agent.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn read(&self, state: &ApiState) -> Result<Latest, ApiError> {
        let metrics = async {
            match &self.metrics {
                Some(scope) => state.storage.metric_latest(scope).await,
                None => Ok(Vec::new()),
            }
        };
        let speedtests = async {
            match &self.speedtests {
                Some(scope) => state.storage.speedtest_latest(scope).await,
                None => Ok(Vec::new()),
            }
        };
        let traceroutes = async {
            match &self.traceroutes {
                Some(scope) => state.storage.traceroute_latest(scope).await,
                None => Ok(Vec::new()),
            }
        };
        let (metrics, speedtests, traceroutes) = try_join3(metrics, speedtests, traceroutes).await?;
        Ok(Latest::new(metrics, speedtests, traceroutes))
    }
}

impl FromRequest for LatestScopes {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}
