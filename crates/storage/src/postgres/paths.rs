//! `path_changed`: each trace against the one before it in time of the same agent, target and protocol.

use std::collections::BTreeMap;

use astranetmon_domain::AccountId;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::failure::Failure;
use crate::rows::TracerouteRow;
use crate::schema::traceroute;

/// A trace's place in the order of one agent, target and protocol.
type Place = (i64, Vec<u8>);

/// A trace in that order.
enum Trace {
    /// To be inserted; its index.
    New(usize),
    /// Stored; whether its `path_changed` depends on a new one, and what it is now.
    Stored { follows_new: bool, path_changed: Option<bool> },
}

/// Traces that are compared with each other: of one agent, target and protocol.
type Series = (String, String, String);

/// Sets `path_changed` of the new rows and corrects that of stored rows that now follow one of them.
pub(super) async fn compare_paths(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    rows: &mut [TracerouteRow],
) -> std::result::Result<(), Failure> {
    let neighbours: Vec<Neighbour> = Neighbours::of(account_id, rows).load(connection).await?;
    let mut series: BTreeMap<Series, BTreeMap<Place, (String, Trace)>> = BTreeMap::new();
    let key = |row: &TracerouteRow| (row.agent_id.clone(), row.target.clone(), row.protocol.clone());
    for (is_after, position, timestamp, id, path_hash, path_changed) in neighbours {
        let Some(row) = usize::try_from(position - 1).ok().and_then(|index| rows.get(index)) else { continue };
        let traces = series.entry(key(row)).or_default();
        let trace = (path_hash, Trace::Stored { follows_new: is_after, path_changed });
        let stored = &mut traces.entry((timestamp, id)).or_insert(trace).1;
        if let Trace::Stored { follows_new, .. } = stored {
            *follows_new |= is_after;
        }
    }
    for (index, row) in rows.iter().enumerate() {
        let place = (row.timestamp, row.id.clone());
        series.entry(key(row)).or_default().insert(place, (row.path_hash.clone(), Trace::New(index)));
    }
    // Each new trace stands between its stored neighbours, so the trace before it in this order is the one before it
    // in time; the same holds for a stored trace that follows a new one.
    for ((agent_id, ..), traces) in &series {
        let mut before: Option<&str> = None;
        for ((timestamp, id), (path_hash, trace)) in traces {
            let changed = before.map(|before| before != path_hash);
            match *trace {
                Trace::New(index) => rows[index].path_changed = changed,
                Trace::Stored { follows_new: true, path_changed } if path_changed != changed => {
                    let stored = traceroute::table
                        .filter(traceroute::account_id.eq(account_id.0))
                        .filter(traceroute::id.eq(id))
                        .filter(traceroute::agent_id.eq(agent_id))
                        .filter(traceroute::timestamp.eq(timestamp));
                    diesel::update(stored).set(traceroute::path_changed.eq(changed)).execute(connection).await?;
                }
                Trace::Stored { .. } => {}
            }
            before = Some(path_hash);
        }
    }
    Ok(())
}

/// Whether it comes after the row (else before), the row's position from 1, time, id, path hash, path changed.
type Neighbour = (bool, i64, i64, Vec<u8>, String, Option<bool>);

/// The stored traces next before and next after each of some rows; one array a column.
struct Neighbours<'a> {
    account_id: i64,
    agent_ids: Vec<&'a str>,
    targets: Vec<&'a str>,
    protocols: Vec<&'a str>,
    timestamps: Vec<i64>,
    ids: Vec<&'a [u8]>,
}

impl<'a> Neighbours<'a> {
    fn of(account_id: AccountId, rows: &'a [TracerouteRow]) -> Self {
        Self {
            account_id: account_id.0,
            agent_ids: rows.iter().map(|row| row.agent_id.as_str()).collect(),
            targets: rows.iter().map(|row| row.target.as_str()).collect(),
            protocols: rows.iter().map(|row| row.protocol.as_str()).collect(),
            timestamps: rows.iter().map(|row| row.timestamp).collect(),
            ids: rows.iter().map(|row| row.id.as_slice()).collect(),
        }
    }
}

impl Query for Neighbours<'_> {
    type SqlType = (Bool, BigInt, BigInt, Binary, Text, Nullable<Bool>);
}

impl QueryId for Neighbours<'_> {
    type QueryId = Neighbours<'static>;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for Neighbours<'_> {}

impl QueryFragment<Pg> for Neighbours<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let mut before = "WITH given AS (SELECT * FROM UNNEST(";
        for texts in [&self.agent_ids, &self.targets, &self.protocols] {
            out.push_sql(before);
            out.push_bind_param::<Array<Text>, _>(texts)?;
            before = ", ";
        }
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.timestamps)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<Binary>, _>(&self.ids)?;
        out.push_sql(
            ") WITH ORDINALITY AS given (agent_id, target, protocol, timestamp, id, position)) \
             SELECT FALSE, position, near.* FROM given CROSS JOIN LATERAL (\
             SELECT t.timestamp, t.id, t.path_hash, t.path_changed FROM traceroute AS t WHERE t.account_id = ",
        );
        out.push_bind_param::<BigInt, _>(&self.account_id)?;
        out.push_sql(
            " AND t.agent_id = given.agent_id AND t.target = given.target AND t.protocol = given.protocol \
             AND t.timestamp <= given.timestamp AND (t.timestamp < given.timestamp OR t.id < given.id) \
             ORDER BY t.timestamp DESC, t.id DESC LIMIT 1) AS near \
             UNION ALL SELECT TRUE, position, near.* FROM given CROSS JOIN LATERAL (\
             SELECT t.timestamp, t.id, t.path_hash, t.path_changed FROM traceroute AS t WHERE t.account_id = ",
        );
        out.push_bind_param::<BigInt, _>(&self.account_id)?;
        out.push_sql(
            " AND t.agent_id = given.agent_id AND t.target = given.target AND t.protocol = given.protocol \
             AND t.timestamp >= given.timestamp AND (t.timestamp > given.timestamp OR t.id > given.id) \
             ORDER BY t.timestamp ASC, t.id ASC LIMIT 1) AS near",
        );
        Ok(())
    }
}
