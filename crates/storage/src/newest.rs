//! The newest record of each agent of an account, by one look-up in an index for each agent.

use std::collections::HashMap;

use astranetmon_auth::{ReadAgents, ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{AccountId, Agent, Timestamp};
use diesel::dsl::AsSelect;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;

use crate::StorageError;
use crate::repository::{FleetRow, RouteChange};
use crate::rows::{MetricReadRow, RecordRow, RouteChangeRow, SpeedtestRow, TracerouteRow};

type Result<T> = std::result::Result<T, StorageError>;

/// Which records of a table are looked at, and in which order; the index that serves both begins with account and
/// agent.
struct Newest {
    table: &'static str,
    condition: &'static str,
    order: &'static str,
    /// What tells one of the agent's rows from another on SQLite.
    sqlite_key: &'static str,
}

const METRIC: Newest =
    Newest { table: "metric_sample", condition: "", order: "timestamp DESC", sqlite_key: "timestamp" };
const SPEEDTEST: Newest =
    Newest { table: "speedtest", condition: "", order: "timestamp DESC, id", sqlite_key: "rowid" };
const TRACEROUTE: Newest =
    Newest { table: "traceroute", condition: "", order: "timestamp DESC, id", sqlite_key: "rowid" };
const ROUTE_CHANGE: Newest =
    Newest { table: "traceroute", condition: " AND path_changed", order: "timestamp DESC, id", sqlite_key: "rowid" };

/// One statement; `Selection` names the columns of `newest.table`.
pub(crate) struct NewestOfEach<Selection> {
    account_id: i64,
    newest: Newest,
    selection: Selection,
}

/// The newest metric of each agent that has any, in no order.
pub(crate) fn newest_metrics<DB: diesel::backend::Backend>(
    account_id: AccountId,
) -> NewestOfEach<AsSelect<MetricReadRow, DB>>
where
    MetricReadRow: Selectable<DB>,
{
    NewestOfEach { account_id: account_id.0, newest: METRIC, selection: MetricReadRow::as_select() }
}

/// The newest speed test of each agent that has any, in no order.
pub(crate) fn newest_speedtests<DB: diesel::backend::Backend>(
    account_id: AccountId,
) -> NewestOfEach<AsSelect<SpeedtestRow, DB>>
where
    SpeedtestRow: Selectable<DB>,
{
    NewestOfEach { account_id: account_id.0, newest: SPEEDTEST, selection: SpeedtestRow::as_select() }
}

/// The newest traceroute of each agent that has any, in no order.
pub(crate) fn newest_traceroutes<DB: diesel::backend::Backend>(
    account_id: AccountId,
) -> NewestOfEach<AsSelect<TracerouteRow, DB>>
where
    TracerouteRow: Selectable<DB>,
{
    NewestOfEach { account_id: account_id.0, newest: TRACEROUTE, selection: TracerouteRow::as_select() }
}

/// The newest changed route of each agent that has any, in no order.
pub(crate) fn newest_route_changes<DB: diesel::backend::Backend>(
    account_id: AccountId,
) -> NewestOfEach<AsSelect<RouteChangeRow, DB>>
where
    RouteChangeRow: Selectable<DB>,
{
    NewestOfEach { account_id: account_id.0, newest: ROUTE_CHANGE, selection: RouteChangeRow::as_select() }
}

impl<Selection: Expression> Query for NewestOfEach<Selection> {
    type SqlType = Selection::SqlType;
}

/// The text identifies it.
impl<Selection> QueryId for NewestOfEach<Selection> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C, Selection> diesel::query_dsl::RunQueryDsl<C> for NewestOfEach<Selection> {}

impl<Selection: QueryFragment<Pg>> QueryFragment<Pg> for NewestOfEach<Selection> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Newest { table, condition, order, .. } = self.newest;
        out.push_sql("SELECT ");
        self.selection.walk_ast(out.reborrow())?;
        out.push_sql(" FROM agent CROSS JOIN LATERAL (SELECT * FROM ");
        out.push_sql(table);
        out.push_sql(" WHERE account_id = agent.account_id AND agent_id = agent.id");
        out.push_sql(condition);
        out.push_sql(" ORDER BY ");
        out.push_sql(order);
        out.push_sql(" LIMIT 1) AS ");
        out.push_sql(table);
        out.push_sql(" WHERE agent.account_id = ");
        out.push_bind_param::<BigInt, _>(&self.account_id)
    }
}

impl<Selection: QueryFragment<Sqlite>> QueryFragment<Sqlite> for NewestOfEach<Selection> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let Newest { table, condition, order, sqlite_key } = self.newest;
        out.push_sql("SELECT ");
        self.selection.walk_ast(out.reborrow())?;
        // The order of a CROSS JOIN is kept: agents first, then one row for each.
        out.push_sql(" FROM agent CROSS JOIN ");
        out.push_sql(table);
        out.push_sql(" WHERE agent.account_id = ");
        out.push_bind_param::<BigInt, _>(&self.account_id)?;
        for column in ["account_id = agent.account_id", "agent_id = agent.id", sqlite_key] {
            out.push_sql(" AND ");
            out.push_sql(table);
            out.push_sql(".");
            out.push_sql(column);
        }
        out.push_sql(" = (SELECT ");
        out.push_sql(sqlite_key);
        out.push_sql(" FROM ");
        out.push_sql(table);
        out.push_sql(" AS nearest WHERE nearest.account_id = agent.account_id AND nearest.agent_id = agent.id");
        out.push_sql(condition);
        out.push_sql(" ORDER BY ");
        out.push_sql(order);
        out.push_sql(" LIMIT 1)");
        Ok(())
    }
}

/// The account that all four permissions are for.
pub(crate) fn one_account(
    agents: &Scope<ReadAgents>,
    metrics: &Scope<ReadMetrics>,
    speedtests: &Scope<ReadSpeedtests>,
    traceroutes: &Scope<ReadTraceroutes>,
) -> Result<AccountId> {
    let account_id = agents.account_id();
    let others = [metrics.account_id(), speedtests.account_id(), traceroutes.account_id()];
    if others == [account_id; 3] {
        Ok(account_id)
    } else {
        Err(StorageError::Internal { context: "a fleet of several accounts", source: None })
    }
}

/// The rows of the three statements.
pub(crate) struct NewestRows {
    pub(crate) metrics: Vec<MetricReadRow>,
    pub(crate) speedtests: Vec<SpeedtestRow>,
    pub(crate) route_changes: Vec<RouteChangeRow>,
}

impl NewestRows {
    /// Gives each agent what is its own.
    pub(crate) fn into_fleet(self, agents: &[Agent]) -> Result<Vec<FleetRow>> {
        let places: HashMap<&str, usize> =
            agents.iter().enumerate().map(|(place, agent)| (agent.id.as_str(), place)).collect();
        let row = |agent: &Agent| FleetRow { agent: agent.clone(), metric: None, speedtest: None, route_change: None };
        let mut rows: Vec<FleetRow> = agents.iter().map(row).collect();
        for metric in self.metrics {
            if let Some(&place) = places.get(metric.agent_id.as_str()) {
                rows[place].metric = Some(metric.into_sample()?);
            }
        }
        for speedtest in self.speedtests {
            if let Some(&place) = places.get(speedtest.agent_id.as_str()) {
                rows[place].speedtest = Some(speedtest.into_record()?);
            }
        }
        for change in self.route_changes {
            if let Some(&place) = places.get(change.agent_id.as_str()) {
                let at = Timestamp::from_micros(change.timestamp);
                rows[place].route_change = Some(RouteChange { at, target: change.target });
            }
        }
        Ok(rows)
    }
}
