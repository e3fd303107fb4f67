use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, get};
use astranetmon_auth::{ReadAgents, Scope};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::latest::LatestScopes;
use super::record_list::{WalkOrigin, describe_shape};
use crate::conditional::{Canonical, Tagged, answer};
use crate::encode::{ListBody, OverviewRows, Shape};
use crate::openapi::parameter;
use crate::query::{FIELDS, FORMAT};
use crate::wire::{Overview, OverviewRecord};
use crate::{ApiError, ApiState, Authorized};

/// How the overview is answered, and what of it the caller may read.
#[derive(Debug)]
pub(crate) struct OverviewQuery {
    shape: Shape,
    scopes: LatestScopes,
    origin: WalkOrigin,
}

impl Tagged for OverviewQuery {
    type Permission = ReadAgents;

    fn read(request: &HttpRequest, _: &ApiState) -> Result<Self, ApiError> {
        let origin = WalkOrigin::read(request, &[FIELDS, FORMAT])?;
        let shape = origin.shape(request, &OverviewRecord::FIELDS)?;
        Ok(Self { shape, scopes: LatestScopes::of(request)?, origin })
    }

    fn describe(&self, asked: &mut Canonical) {
        self.origin.describe(asked);
        describe_shape(&self.shape, asked);
        self.scopes.describe(asked);
    }

    async fn passed(&self, scope: &Scope<ReadAgents>, state: &ApiState, version: i64) -> Result<i64, ApiError> {
        state.gone_offline(scope, version).await
    }
}

impl FromRequest for OverviewQuery {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<ApiState>>().ok_or(ApiError::Internal);
        ready(state.and_then(|state| Self::read(request, state)))
    }
}

impl IntoParams for OverviewQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![parameter::fields(&OverviewRecord::FIELDS), parameter::format()]
    }
}

/// Read everything that is newest
///
/// Every agent of the account with its newest metric, speed test and traceroute, by hostname, then id. Parts whose
/// permission the key lacks are `null`.
#[utoipa::path(
    operation_id = "get_overview",
    tag = "agents",
    params(OverviewQuery),
    security(("api_key" = ["read:agents"]), ("session" = [])),
    responses((
        status = 200,
        description = "Agents and their newest records.",
        content(
            (Overview = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        ),
    )),
)]
#[get("/overview")]
pub(crate) async fn overview(
    authorized: Authorized<ReadAgents>,
    query: OverviewQuery,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let scope = authorized.scope();
    let make = async || {
        let page = state.storage.agent_page(scope, None, None).await?;
        let latest = query.scopes.read(&state).await?;
        let rows = OverviewRows::new(page.agents, latest, state.clock.now());
        Ok(ListBody::new(rows, query.shape, page.total, None).respond().await)
    };
    answer(&query, scope, &state, make).await
}
