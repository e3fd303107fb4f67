use astranetmon_auth::{LookupError, NewSession, Operator, OwnUser, Scope, SessionHash, SessionLookup, SessionRecord};
use astranetmon_domain::{AccountId, SessionId, Timestamp, User, UserId};
use async_trait::async_trait;
use diesel::prelude::*;

use super::accounts::record_audit;
use super::{Result, SqliteStorage};
use crate::repository::SessionRepository;
use crate::rows::{AuditRow, NewSessionRow, SessionEnds, SessionRow, UserRow};
use crate::schema::{app_user, session};

#[async_trait]
impl SessionRepository for SqliteStorage {
    async fn session_create(
        &self,
        _: &Operator,
        session: &NewSession,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>> {
        let new = session.clone();
        self.write(move |connection| {
            let account_id: Option<i64> = app_user::table
                .filter(app_user::id.eq(new.user_id.0))
                .filter(app_user::disabled_at.is_null())
                .select(app_user::account_id)
                .first(connection)
                .optional()?;
            let Some(account_id) = account_id.map(AccountId) else { return Ok(None) };
            diesel::insert_into(session::table)
                .values(NewSessionRow::new(account_id, &new, now))
                .execute(connection)?;
            let row = session::table
                .filter(session::hash.eq(new.hash.as_bytes().as_slice()))
                .select(SessionRow::as_select())
                .first(connection)?;
            let (actor, object) = (format!("user:{}", new.user_id), format!("session:{}", row.id));
            record_audit(connection, &AuditRow::by(account_id, actor, "session.create", object, now))?;
            Ok(Some(row.into_record()))
        })
        .await
    }

    async fn session_list(
        &self,
        scope: &Scope<OwnUser>,
        user_id: UserId,
        now: Timestamp,
    ) -> Result<Vec<SessionRecord>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let ends = SessionEnds::at(now);
            let rows = session::table
                .filter(session::account_id.eq(account_id.0))
                .filter(session::user_id.eq(user_id.0))
                .filter(session::created_at.gt(ends.created_at))
                .filter(session::last_seen_at.gt(ends.last_seen_at))
                .select(SessionRow::as_select())
                .order((session::created_at.desc(), session::id.desc()))
                .load(connection)?;
            Ok(rows.into_iter().map(SessionRow::into_record).collect())
        })
        .await
    }

    async fn session_end(
        &self,
        scope: &Scope<OwnUser>,
        user_id: UserId,
        id: SessionId,
        now: Timestamp,
    ) -> Result<bool> {
        let scope = scope.clone();
        self.write(move |connection| {
            let ended = session::table
                .filter(session::account_id.eq(scope.account_id().0))
                .filter(session::user_id.eq(user_id.0))
                .filter(session::id.eq(id.0));
            let ended = diesel::delete(ended).execute(connection)? > 0;
            if ended {
                record_audit(connection, &AuditRow::new(&scope, "session.end", format!("session:{id}"), now))?;
            }
            Ok(ended)
        })
        .await
    }

    async fn session_seen(&self, _: &Operator, id: SessionId, seen_at: Timestamp) -> Result<()> {
        let seen_at = seen_at.as_micros();
        self.write(move |connection| {
            diesel::update(session::table.find(id.0).filter(session::last_seen_at.lt(seen_at)))
                .set(session::last_seen_at.eq(seen_at))
                .execute(connection)?;
            Ok(())
        })
        .await
    }

    async fn session_sweep(&self, _: &Operator, now: Timestamp) -> Result<u64> {
        self.write(move |connection| {
            let ends = SessionEnds::at(now);
            let ended = session::created_at.le(ends.created_at).or(session::last_seen_at.le(ends.last_seen_at));
            Ok(diesel::delete(session::table.filter(ended)).execute(connection)? as u64)
        })
        .await
    }
}

#[async_trait]
impl SessionLookup for SqliteStorage {
    async fn session_find_by_hash(
        &self,
        hash: &SessionHash,
    ) -> std::result::Result<Option<(SessionRecord, User)>, LookupError> {
        let hash = *hash;
        self.read(move |connection| {
            let found: Option<(SessionRow, UserRow)> = session::table
                .inner_join(app_user::table)
                .filter(session::hash.eq(hash.as_bytes().as_slice()))
                .select((SessionRow::as_select(), UserRow::as_select()))
                .first(connection)
                .optional()?;
            found.map(|(session, user)| Ok((session.into_record(), user.into_user()?))).transpose()
        })
        .await
        .map_err(|error| LookupError(Box::new(error)))
    }
}
