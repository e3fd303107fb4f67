use std::time::Duration;

use astranetmon_auth::Operator;
use astranetmon_domain::Timestamp;
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::{Result, SqliteStorage};
use crate::StorageError;
use crate::repository::{Lease, LeaseRepository};
use crate::schema::lease;

fn end(now: Timestamp, ttl: Duration) -> i64 {
    now.plus_micros(i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX)).as_micros()
}

/// To be asked by every write of a job, in the transaction of what it writes.
pub(super) fn check_lease(connection: &mut SqliteConnection, held: &Lease) -> Result<()> {
    let token: Option<i64> = lease::table.find(held.name).select(lease::token).first(connection).optional()?;
    if token == Some(held.token) { Ok(()) } else { Err(StorageError::LeaseLost { name: held.name }) }
}

#[async_trait]
impl LeaseRepository for SqliteStorage {
    async fn lease_acquire(
        &self,
        _: &Operator,
        name: &'static str,
        holder: &str,
        ttl: Duration,
        now: Timestamp,
    ) -> Result<Option<Lease>> {
        let holder = holder.to_owned();
        self.write(move |connection| {
            let last: Option<(i64, i64)> =
                lease::table.find(name).select((lease::token, lease::expires_at)).first(connection).optional()?;
            let token = match last {
                Some((_, expires_at)) if expires_at > now.as_micros() => return Ok(None),
                Some((token, _)) => token + 1,
                None => 1,
            };
            let taken =
                (lease::holder.eq(holder.as_str()), lease::token.eq(token), lease::expires_at.eq(end(now, ttl)));
            diesel::insert_into(lease::table)
                .values((lease::name.eq(name), taken))
                .on_conflict(lease::name)
                .do_update()
                .set(taken)
                .execute(connection)?;
            Ok(Some(Lease { name, token }))
        })
        .await
    }

    async fn lease_renew(&self, held: &Lease, ttl: Duration, now: Timestamp) -> Result<bool> {
        let held = held.clone();
        self.write(move |connection| {
            let renewed = diesel::update(lease::table.find(held.name).filter(lease::token.eq(held.token)))
                .set(lease::expires_at.eq(end(now, ttl)))
                .execute(connection)?;
            Ok(renewed > 0)
        })
        .await
    }

    async fn lease_release(&self, held: &Lease) -> Result<()> {
        let held = held.clone();
        self.write(move |connection| {
            diesel::update(lease::table.find(held.name).filter(lease::token.eq(held.token)))
                .set(lease::expires_at.eq(0))
                .execute(connection)?;
            Ok(())
        })
        .await
    }
}
