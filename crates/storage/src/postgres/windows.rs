use astranetmon_auth::{Operator, OwnKey, ReadAccount, Scope};
use astranetmon_domain::{AccountId, ApiKeyId, Plan, QuotaWindowId, Timestamp};
use astranetmon_ratelimit::{QuotaUnavailable, QuotaWindows, UsageCount, Window, WindowTake};
use async_trait::async_trait;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::failure::Failure;
use super::{PostgresStorage, Result, queries};
use crate::repository::UsageRepository;
use crate::rows::UsageRow;
use crate::schema::{key_usage, quota_window};

const WINDOW_MICROS: i64 = Plan::WINDOW_SECONDS as i64 * 1_000_000;

/// Takes one request from a window in one statement; no row if nothing is left. The lock of the row makes it exact
/// over all instances.
#[derive(QueryId)]
struct Take {
    account_id: i64,
    window_id: i64,
    limit: i64,
    now: i64,
    /// Windows opened by then have ended.
    ended_by: i64,
}

impl Query for Take {
    type SqlType = (BigInt, BigInt);
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for Take {}

impl QueryFragment<Pg> for Take {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let parts = [
            ("INSERT INTO quota_window AS w (account_id, window_id, used, opened_at) VALUES (", &self.account_id),
            (", ", &self.window_id),
            (", 1, ", &self.now),
            (
                ") ON CONFLICT (account_id, window_id) DO UPDATE SET \
                 opened_at = CASE WHEN w.opened_at <= ",
                &self.ended_by,
            ),
            (" THEN excluded.opened_at ELSE w.opened_at END, used = CASE WHEN w.opened_at <= ", &self.ended_by),
            (" THEN 1 ELSE w.used + 1 END WHERE w.opened_at <= ", &self.ended_by),
            (" OR w.used < ", &self.limit),
        ];
        for (text, number) in parts {
            out.push_sql(text);
            out.push_bind_param::<BigInt, _>(number)?;
        }
        out.push_sql(" RETURNING opened_at, used");
        Ok(())
    }
}

fn window((opened_at, used): (i64, i64)) -> Window {
    Window { opened_at: Timestamp::from_micros(opened_at), used: u32::try_from(used).unwrap_or(u32::MAX) }
}

async fn stored(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    window_id: QuotaWindowId,
) -> std::result::Result<Option<Window>, Failure> {
    let stored = quota_window::table
        .find((account_id.0, window_id.0))
        .select((quota_window::opened_at, quota_window::used))
        .first(connection)
        .await
        .optional()?;
    Ok(stored.map(window))
}

#[async_trait]
impl QuotaWindows for PostgresStorage {
    async fn window_take(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        limit: u32,
        now: Timestamp,
    ) -> std::result::Result<WindowTake, QuotaUnavailable> {
        let take = Take {
            account_id: account_id.0,
            window_id: window_id.0,
            limit: i64::from(limit),
            now: now.as_micros(),
            ended_by: now.as_micros() - WINDOW_MICROS,
        };
        self.gate("counting a request", async |connection| {
            let taken: Option<(i64, i64)> = take.get_result(connection).await.optional()?;
            if let Some(taken) = taken {
                return Ok(WindowTake::Passed(window(taken)));
            }
            let spent = stored(connection, account_id, window_id).await?;
            Ok(WindowTake::Refused(spent.unwrap_or(Window { opened_at: now, used: limit })))
        })
        .await
        .map_err(|error| QuotaUnavailable(Box::new(error)))
    }

    async fn window_peek(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        now: Timestamp,
    ) -> std::result::Result<Option<Window>, QuotaUnavailable> {
        let stored = self
            .gate("looking at a plan window", async |connection| stored(connection, account_id, window_id).await)
            .await
            .map_err(|error| QuotaUnavailable(Box::new(error)))?;
        Ok(stored.filter(|window| now < window.resets_at()))
    }
}

/// Adds usage counts: one array a column, in the order of the key, so that two writers never wait crosswise.
#[derive(Default, QueryId)]
struct UsageAddition {
    account_ids: Vec<i64>,
    key_ids: Vec<i64>,
    hours: Vec<i64>,
    served: Vec<i64>,
    refused: Vec<i64>,
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for UsageAddition {}

impl QueryFragment<Pg> for UsageAddition {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "INSERT INTO key_usage (account_id, key_id, hour, served, refused) SELECT a, k, h, SUM(s), SUM(r)",
        );
        let mut before = " FROM UNNEST(";
        for numbers in [&self.account_ids, &self.key_ids, &self.hours, &self.served, &self.refused] {
            out.push_sql(before);
            out.push_bind_param::<Array<BigInt>, _>(numbers)?;
            before = ", ";
        }
        out.push_sql(
            ") AS given (a, k, h, s, r) GROUP BY a, k, h ORDER BY a, k, h \
             ON CONFLICT (account_id, key_id, hour) DO UPDATE SET \
             served = key_usage.served + excluded.served, refused = key_usage.refused + excluded.refused",
        );
        Ok(())
    }
}

/// Moves the last use of keys forward, at most once a minute each.
#[derive(Default, QueryId)]
struct LastUses {
    key_ids: Vec<i64>,
    last_used_at: Vec<i64>,
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for LastUses {}

impl QueryFragment<Pg> for LastUses {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("WITH given AS (SELECT k, MAX(at) AS at FROM UNNEST(");
        out.push_bind_param::<Array<BigInt>, _>(&self.key_ids)?;
        out.push_sql(", ");
        out.push_bind_param::<Array<BigInt>, _>(&self.last_used_at)?;
        out.push_sql(
            ") AS given (k, at) GROUP BY k), \
             locked AS (SELECT id, at FROM api_key JOIN given ON id = k \
             WHERE last_used_at IS NULL OR last_used_at <= at - 60000000 ORDER BY id FOR NO KEY UPDATE OF api_key) \
             UPDATE api_key SET last_used_at = locked.at FROM locked WHERE api_key.id = locked.id",
        );
        Ok(())
    }
}

#[async_trait]
impl UsageRepository for PostgresStorage {
    async fn usage_add(&self, _: &Operator, counts: &[UsageCount]) -> Result<()> {
        if counts.is_empty() {
            return Ok(());
        }
        let (mut addition, mut last_uses) = (UsageAddition::default(), LastUses::default());
        for count in counts {
            let row = UsageRow::new(count);
            addition.account_ids.push(row.account_id);
            addition.key_ids.push(row.key_id);
            addition.hours.push(row.hour);
            addition.served.push(row.served);
            addition.refused.push(row.refused);
            last_uses.key_ids.push(row.key_id);
            last_uses.last_used_at.push(count.last_used_at.as_micros());
        }
        self.write("adding usage counts", async |connection| {
            connection
                .transaction(async |connection| {
                    addition.execute(connection).await?;
                    last_uses.execute(connection).await?;
                    Ok::<_, Failure>(())
                })
                .await
        })
        .await
    }

    async fn usage_by_hour(
        &self,
        scope: &Scope<OwnKey>,
        key_id: ApiKeyId,
        since: Timestamp,
    ) -> Result<Vec<UsageCount>> {
        let rows = self
            .read("reading usage counts", async |connection| {
                let query = key_usage::table
                    .filter(key_usage::account_id.eq(scope.account_id().0))
                    .filter(key_usage::key_id.eq(key_id.0))
                    .filter(key_usage::hour.ge(since.hour_start().as_micros()))
                    .select(UsageRow::as_select())
                    .order(key_usage::hour.asc());
                Ok(query.load(connection).await?)
            })
            .await?;
        Ok(rows.into_iter().map(UsageRow::into_count).collect())
    }

    async fn usage_of_account(&self, scope: &Scope<ReadAccount>, since: Timestamp) -> Result<Vec<UsageCount>> {
        let rows = self
            .read("reading an account's usage counts", async |connection| {
                Ok(queries::usage_of_account(scope.account_id(), since).load(connection).await?)
            })
            .await?;
        Ok(rows.into_iter().map(UsageRow::into_count).collect())
    }
}
