use astranetmon_auth::{ManageAccount, Operator, OwnUser, PasswordHash, Scope};
use astranetmon_domain::{AccountId, Timestamp, User, UserEmail, UserId};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::accounts::{exists, record_audit};
use super::failure::Failure;
use super::{PostgresStorage, Result};
use crate::repository::{NewUser, UserRepository};
use crate::rows::{AuditRow, NewUserRow, UserRow};
use crate::schema::{app_user, session};

#[async_trait]
impl UserRepository for PostgresStorage {
    async fn user_create(&self, scope: &Scope<ManageAccount>, user: &NewUser, now: Timestamp) -> Result<User> {
        let row = NewUserRow {
            account_id: scope.account_id().0,
            email: user.email.as_str(),
            role: user.role.as_str(),
            created_at: now.as_micros(),
        };
        self.write("adding a user", async |connection| {
            connection
                .transaction(async |connection| {
                    let user = diesel::insert_into(app_user::table)
                        .values(&row)
                        .returning(UserRow::as_returning())
                        .get_result(connection)
                        .await
                        .map_err(|error| exists(error, "a user with that e-mail address"))?
                        .into_user()?;
                    let object = format!("user:{}", user.id);
                    record_audit(connection, &AuditRow::new(scope, "user.create", object, now)).await?;
                    Ok(user)
                })
                .await
        })
        .await
    }

    async fn user_list(&self, scope: &Scope<ManageAccount>) -> Result<Vec<User>> {
        let rows = self
            .read("listing users", async |connection| {
                let query = app_user::table
                    .filter(app_user::account_id.eq(scope.account_id().0))
                    .select(UserRow::as_select())
                    .order(app_user::email.asc());
                Ok(query.load(connection).await?)
            })
            .await?;
        rows.into_iter().map(UserRow::into_user).collect()
    }

    async fn user_find_by_email(&self, _: &Operator, email: &UserEmail) -> Result<Option<User>> {
        let row = self
            .read("finding a user", async |connection| {
                let query = app_user::table.filter(app_user::email.eq(email.as_str())).select(UserRow::as_select());
                Ok(query.first(connection).await.optional()?)
            })
            .await?;
        row.map(UserRow::into_user).transpose()
    }

    async fn user_find_to_sign_in(
        &self,
        _: &Operator,
        email: &UserEmail,
    ) -> Result<Option<(User, Option<PasswordHash>)>> {
        let found: Option<(UserRow, Option<String>)> = self
            .read("finding who signs in", async |connection| {
                let query = app_user::table
                    .filter(app_user::email.eq(email.as_str()))
                    .select((UserRow::as_select(), app_user::password_hash));
                Ok(query.first(connection).await.optional()?)
            })
            .await?;
        found.map(|(row, hash)| Ok((row.into_user()?, hash.map(PasswordHash::from_stored)))).transpose()
    }

    async fn user_set_password(
        &self,
        scope: &Scope<ManageAccount>,
        id: UserId,
        hash: &PasswordHash,
        now: Timestamp,
    ) -> Result<Option<User>> {
        let entry = AuditRow::new(scope, "user.set_password", format!("user:{id}"), now);
        self.set_password(scope.account_id(), id, hash, &entry).await
    }

    async fn user_change_password(
        &self,
        scope: &Scope<OwnUser>,
        id: UserId,
        hash: &PasswordHash,
        now: Timestamp,
    ) -> Result<Option<User>> {
        let entry = AuditRow::new(scope, "user.change_password", format!("user:{id}"), now);
        self.set_password(scope.account_id(), id, hash, &entry).await
    }

    async fn user_set_disabled(
        &self,
        scope: &Scope<ManageAccount>,
        id: UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<Option<User>> {
        self.write("disabling a user", async |connection| {
            connection
                .transaction(async |connection| {
                    let Some(mut user) = lock(connection, scope.account_id(), id).await? else { return Ok(None) };
                    user.disabled_at = disabled.then(|| user.disabled_at.unwrap_or(now));
                    diesel::update(app_user::table.find(id.0))
                        .set(app_user::disabled_at.eq(user.disabled_at.map(Timestamp::as_micros)))
                        .execute(connection)
                        .await?;
                    if disabled {
                        end_sessions(connection, id).await?;
                    }
                    let action = if disabled { "user.disable" } else { "user.enable" };
                    record_audit(connection, &AuditRow::new(scope, action, format!("user:{id}"), now)).await?;
                    Ok::<_, Failure>(Some(user))
                })
                .await
        })
        .await
    }
}

impl PostgresStorage {
    async fn set_password(
        &self,
        account_id: AccountId,
        id: UserId,
        hash: &PasswordHash,
        entry: &AuditRow,
    ) -> Result<Option<User>> {
        self.write("setting a password", async |connection| {
            connection
                .transaction(async |connection| {
                    let Some(user) = lock(connection, account_id, id).await? else { return Ok(None) };
                    diesel::update(app_user::table.find(id.0))
                        .set(app_user::password_hash.eq(hash.as_str()))
                        .execute(connection)
                        .await?;
                    end_sessions(connection, id).await?;
                    record_audit(connection, entry).await?;
                    Ok::<_, Failure>(Some(user))
                })
                .await
        })
        .await
    }
}

/// Locked, so that no session begins beside what is done to the person.
async fn lock(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    id: UserId,
) -> std::result::Result<Option<User>, Failure> {
    let row: Option<UserRow> = app_user::table
        .filter(app_user::account_id.eq(account_id.0))
        .filter(app_user::id.eq(id.0))
        .select(UserRow::as_select())
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?;
    Ok(row.map(UserRow::into_user).transpose()?)
}

async fn end_sessions(connection: &mut AsyncPgConnection, id: UserId) -> std::result::Result<(), Failure> {
    diesel::delete(session::table.filter(session::user_id.eq(id.0))).execute(connection).await?;
    Ok(())
}
