use std::time::Duration;

use astranetmon_auth::Operator;
use astranetmon_domain::Timestamp;
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::failure::Failure;
use super::{PostgresStorage, Result};
use crate::StorageError;
use crate::repository::{Lease, LeaseRepository};
use crate::schema::lease;

/// The database's clock in microseconds since the epoch.
macro_rules! database_now {
    () => {
        "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint"
    };
}

const ACQUIRE: &str = concat!(
    "INSERT INTO lease AS held (name, holder, token, expires_at) VALUES ($1, $2, 1, ",
    database_now!(),
    " + $3) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, token = held.token + 1, \
     expires_at = excluded.expires_at WHERE held.expires_at <= ",
    database_now!(),
    " RETURNING token"
);

const RENEW: &str = concat!("UPDATE lease SET expires_at = ", database_now!(), " + $3 WHERE name = $1 AND token = $2");

#[derive(QueryableByName)]
struct Token {
    #[diesel(sql_type = BigInt)]
    token: i64,
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// To be asked by every write of a job, in the transaction of what it writes: until that ends nobody takes the lease.
pub(super) async fn check_lease(connection: &mut AsyncPgConnection, held: &Lease) -> std::result::Result<(), Failure> {
    let token: Option<i64> =
        lease::table.find(held.name).select(lease::token).for_share().first(connection).await.optional()?;
    if token == Some(held.token) { Ok(()) } else { Err(StorageError::LeaseLost { name: held.name }.into()) }
}

#[async_trait]
impl LeaseRepository for PostgresStorage {
    async fn lease_acquire(
        &self,
        _: &Operator,
        name: &'static str,
        holder: &str,
        ttl: Duration,
        _: Timestamp,
    ) -> Result<Option<Lease>> {
        let taken: Option<Token> = self
            .write("taking a lease", async |connection| {
                let acquire = sql_query(ACQUIRE).bind::<Text, _>(name).bind::<Text, _>(holder);
                Ok(acquire.bind::<BigInt, _>(micros(ttl)).get_result(connection).await.optional()?)
            })
            .await?;
        Ok(taken.map(|taken| Lease { name, token: taken.token }))
    }

    async fn lease_renew(&self, held: &Lease, ttl: Duration, _: Timestamp) -> Result<bool> {
        self.write("renewing a lease", async |connection| {
            let renew = sql_query(RENEW).bind::<Text, _>(held.name).bind::<BigInt, _>(held.token);
            Ok(renew.bind::<BigInt, _>(micros(ttl)).execute(connection).await? > 0)
        })
        .await
    }

    async fn lease_release(&self, held: &Lease) -> Result<()> {
        self.write("giving a lease back", async |connection| {
            diesel::update(lease::table.find(held.name).filter(lease::token.eq(held.token)))
                .set(lease::expires_at.eq(0))
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }
}
