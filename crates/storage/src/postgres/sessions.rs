use astranetmon_auth::{LookupError, NewSession, Operator, OwnUser, Scope, SessionHash, SessionLookup, SessionRecord};
use astranetmon_domain::{AccountId, SessionId, Timestamp, User, UserId};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::accounts::record_audit;
use super::failure::Failure;
use super::{PostgresStorage, Result};
use crate::repository::SessionRepository;
use crate::rows::{AuditRow, NewSessionRow, SessionEnds, SessionRow, UserRow};
use crate::schema::{app_user, session};

#[async_trait]
impl SessionRepository for PostgresStorage {
    async fn session_create(&self, _: &Operator, new: &NewSession, now: Timestamp) -> Result<Option<SessionRecord>> {
        self.write("beginning a session", async |connection| {
            connection
                .transaction(async |connection| {
                    // Shared with other sign-ins, and against whoever disables the person.
                    let account_id: Option<i64> = app_user::table
                        .filter(app_user::id.eq(new.user_id.0))
                        .filter(app_user::disabled_at.is_null())
                        .select(app_user::account_id)
                        .for_share()
                        .first(connection)
                        .await
                        .optional()?;
                    let Some(account_id) = account_id.map(AccountId) else { return Ok(None) };
                    let row = diesel::insert_into(session::table)
                        .values(NewSessionRow::new(account_id, new, now))
                        .returning(SessionRow::as_returning())
                        .get_result(connection)
                        .await?;
                    let (actor, object) = (format!("user:{}", new.user_id), format!("session:{}", row.id));
                    let entry = AuditRow::by(account_id, actor, "session.create", object, now);
                    record_audit(connection, &entry).await?;
                    Ok::<_, Failure>(Some(row.into_record()))
                })
                .await
        })
        .await
    }

    async fn session_list(
        &self,
        scope: &Scope<OwnUser>,
        user_id: UserId,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>> {
        let ends = SessionEnds::at(now);
        let rows = self
            .read("listing sessions", async |connection| {
                let query = session::table
                    .filter(session::account_id.eq(scope.account_id().0))
                    .filter(session::user_id.eq(user_id.0))
                    .filter(session::created_at.gt(ends.created_at))
                    .filter(session::last_seen_at.gt(ends.last_seen_at))
                    .select(SessionRow::as_select())
                    .order((session::created_at.desc(), session::id.desc()));
                Ok(query.load(connection).await?)
            })
            .await?;
        Ok(rows.into_iter().map(SessionRow::into_record).collect())
    }

    async fn session_end(
        &self,
        scope: &Scope<OwnUser>,
        user_id: UserId,
        id: SessionId,
        now: Timestamp,
    ) -> Result<bool> {
        self.write("ending a session", async |connection| {
            connection
                .transaction(async |connection| {
                    let ended = session::table
                        .filter(session::account_id.eq(scope.account_id().0))
                        .filter(session::user_id.eq(user_id.0))
                        .filter(session::id.eq(id.0));
                    let ended = diesel::delete(ended).execute(connection).await? > 0;
                    if ended {
                        let entry = AuditRow::new(scope, "session.end", format!("session:{id}"), now);
                        record_audit(connection, &entry).await?;
                    }
                    Ok::<_, Failure>(ended)
                })
                .await
        })
        .await
    }

    async fn session_seen(&self, _: &Operator, id: SessionId, seen_at: Timestamp) -> Result<()> {
        let seen_at = seen_at.as_micros();
        self.write("moving a session on", async |connection| {
            diesel::update(session::table.find(id.0).filter(session::last_seen_at.lt(seen_at)))
                .set(session::last_seen_at.eq(seen_at))
                .execute(connection)
                .await?;
            Ok(())
        })
        .await
    }

    async fn session_sweep(&self, _: &Operator, now: Timestamp) -> Result<u64> {
        let ends = SessionEnds::at(now);
        self.write("forgetting sessions", async |connection| {
            let ended = session::created_at.le(ends.created_at).or(session::last_seen_at.le(ends.last_seen_at));
            Ok(diesel::delete(session::table.filter(ended)).execute(connection).await? as u64)
        })
        .await
    }
}

#[async_trait]
impl SessionLookup for PostgresStorage {
    async fn session_find_by_hash(
        &self,
        hash: &SessionHash,
    ) -> std::result::Result<Option<(SessionRecord, User)>, LookupError> {
        let found: Result<Option<(SessionRow, UserRow)>> = self
            .gate("looking up a session", async |connection| {
                let query = session::table
                    .inner_join(app_user::table)
                    .filter(session::hash.eq(hash.as_bytes().as_slice()))
                    .select((SessionRow::as_select(), UserRow::as_select()));
                Ok(query.first(connection).await.optional()?)
            })
            .await;
        found
            .and_then(|found| found.map(|(session, user)| Ok((session.into_record(), user.into_user()?))).transpose())
            .map_err(|error| LookupError(Box::new(error)))
    }
}
