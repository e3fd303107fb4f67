//! What the reads of one record by its id have in common.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use astranetmon_auth::{ReadAgents, ReadPermission, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{Agent, AgentId, Speedtest, SpeedtestId, Traceroute, TracerouteId};

use super::record_list::NoParameters;
use crate::conditional::{Canonical, Tagged};
use crate::{ApiError, ApiState};

/// A record that is read by its id.
pub(crate) trait Identified: Sized + 'static {
    /// Its id.
    type Id;
    /// What the caller must hold.
    type Permission: ReadPermission;

    /// The id, if the text is one.
    fn id(text: &str) -> Option<Self::Id>;
    /// The one text of the id.
    fn text(id: &Self::Id) -> String;
    /// The record.
    async fn find(id: &Self::Id, scope: &Scope<Self::Permission>, state: &ApiState) -> Result<Option<Self>, ApiError>;
    /// See [`Tagged::passed`].
    async fn passed(_: &Scope<Self::Permission>, _: &ApiState, _version: i64) -> Result<i64, ApiError> {
        Ok(0)
    }
}

/// The request for one record.
pub(crate) struct OneRecord<R: Identified> {
    id: R::Id,
    record: PhantomData<R>,
}

impl<R: Identified> OneRecord<R> {
    /// The record.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] if there is none, and those of the storage.
    pub(crate) async fn find(&self, scope: &Scope<R::Permission>, state: &ApiState) -> Result<R, ApiError> {
        R::find(&self.id, scope, state).await?.ok_or(ApiError::NotFound)
    }
}

impl<R: Identified> Tagged for OneRecord<R> {
    type Permission = R::Permission;

    fn read(request: &HttpRequest, _: &ApiState) -> Result<Self, ApiError> {
        NoParameters::read(request)?;
        // The last piece of the path, which is not taken apart yet where a condition is looked at.
        let id = request.match_info().as_str().rsplit('/').next().and_then(R::id).ok_or(ApiError::NotFound)?;
        Ok(Self { id, record: PhantomData })
    }

    fn describe(&self, asked: &mut Canonical) {
        asked.text(std::any::type_name::<R>()).text(&R::text(&self.id));
    }

    async fn passed(&self, scope: &Scope<R::Permission>, state: &ApiState, version: i64) -> Result<i64, ApiError> {
        R::passed(scope, state, version).await
    }

    async fn exists(&self, scope: &Scope<R::Permission>, state: &ApiState) -> Result<bool, ApiError> {
        Ok(R::find(&self.id, scope, state).await?.is_some())
    }
}

impl<R: Identified> FromRequest for OneRecord<R> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<ApiState>>().ok_or(ApiError::Internal);
        ready(state.and_then(|state| Self::read(request, state)))
    }
}

impl Identified for Agent {
    type Id = AgentId;
    type Permission = ReadAgents;

    fn id(text: &str) -> Option<AgentId> {
        AgentId::parse(text).ok()
    }

    fn text(id: &AgentId) -> String {
        id.to_string()
    }

    async fn find(id: &AgentId, scope: &Scope<ReadAgents>, state: &ApiState) -> Result<Option<Self>, ApiError> {
        Ok(state.storage.agent_find(scope, id).await?)
    }

    async fn passed(scope: &Scope<ReadAgents>, state: &ApiState, version: i64) -> Result<i64, ApiError> {
        state.gone_offline(scope, version).await
    }
}

impl Identified for Speedtest {
    type Id = SpeedtestId;
    type Permission = ReadSpeedtests;

    fn id(text: &str) -> Option<SpeedtestId> {
        text.parse().ok()
    }

    fn text(id: &SpeedtestId) -> String {
        id.to_string()
    }

    async fn find(id: &SpeedtestId, scope: &Scope<ReadSpeedtests>, state: &ApiState) -> Result<Option<Self>, ApiError> {
        Ok(state.storage.speedtest_find(scope, *id).await?)
    }
}

impl Identified for Traceroute {
    type Id = TracerouteId;
    type Permission = ReadTraceroutes;

    fn id(text: &str) -> Option<TracerouteId> {
        text.parse().ok()
    }

    fn text(id: &TracerouteId) -> String {
        id.to_string()
    }

    async fn find(
        id: &TracerouteId,
        scope: &Scope<ReadTraceroutes>,
        state: &ApiState,
    ) -> Result<Option<Self>, ApiError> {
        Ok(state.storage.traceroute_find(scope, *id).await?)
    }
}
