use astranetmon_auth::{Actor, ManageAccount, Operator, OwnUser, PasswordHash, ReadAccount, Scope};
use astranetmon_domain::{AccountId, Timestamp, User, UserEmail, UserId, UserRole};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::accounts::{exists, record_audit};
use super::failure::Failure;
use super::{PostgresStorage, Result};
use crate::ownership::{Change, allow, allow_adding};
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
                    let owners = lock_with_owners(connection, scope.account_id(), None).await?;
                    allow_adding(scope.actor(), user.role, &owners)?;
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

    async fn user_list(&self, scope: &Scope<ReadAccount>) -> Result<Vec<User>> {
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
        self.set_password((scope.account_id(), scope.actor().clone()), id, hash, &entry).await
    }

    async fn user_change_password(
        &self,
        scope: &Scope<OwnUser>,
        id: UserId,
        hash: &PasswordHash,
        now: Timestamp,
    ) -> Result<Option<User>> {
        let entry = AuditRow::new(scope, "user.change_password", format!("user:{id}"), now);
        self.set_password((scope.account_id(), scope.actor().clone()), id, hash, &entry).await
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
                    let user = lock_to_change(
                        connection,
                        (scope.account_id(), scope.actor().clone()),
                        id,
                        Change::Disabled(disabled),
                    )
                    .await?;
                    let Some(mut user) = user else { return Ok(None) };
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

    async fn user_set_role(
        &self,
        scope: &Scope<ManageAccount>,
        id: UserId,
        role: UserRole,
        now: Timestamp,
    ) -> Result<Option<User>> {
        self.write("changing a role", async |connection| {
            connection
                .transaction(async |connection| {
                    let user =
                        lock_to_change(connection, (scope.account_id(), scope.actor().clone()), id, Change::Role(role))
                            .await?;
                    let Some(mut user) = user else { return Ok(None) };
                    user.role = role;
                    diesel::update(app_user::table.find(id.0))
                        .set(app_user::role.eq(role.as_str()))
                        .execute(connection)
                        .await?;
                    let object = format!("user:{id} role:{}", role.as_str());
                    record_audit(connection, &AuditRow::new(scope, "user.set_role", object, now)).await?;
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
        by: (AccountId, Actor),
        id: UserId,
        hash: &PasswordHash,
        entry: &AuditRow,
    ) -> Result<Option<User>> {
        self.write("setting a password", async |connection| {
            connection
                .transaction(async |connection| {
                    let user = lock_to_change(connection, by, id, Change::Password).await?;
                    let Some(user) = user else { return Ok(None) };
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

/// The account's owners and that person, locked, so that no session begins beside what is done to the person and no
/// owner goes beside another. Always in one order, so that two who change each other wait and do not deadlock.
async fn lock_with_owners(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    id: Option<UserId>,
) -> std::result::Result<Vec<User>, Failure> {
    let concerned = app_user::role.eq(UserRole::Owner.as_str()).or(app_user::id.eq(id.map_or(0, |id| id.0)));
    let rows: Vec<UserRow> = app_user::table
        .filter(app_user::account_id.eq(account_id.0))
        .filter(concerned)
        .select(UserRow::as_select())
        .order(app_user::id.asc())
        .for_no_key_update()
        .load(connection)
        .await?;
    Ok(rows.into_iter().map(UserRow::into_user).collect::<Result<_>>()?)
}

/// The person, locked, if the actor may do that to them.
async fn lock_to_change(
    connection: &mut AsyncPgConnection,
    (account_id, actor): (AccountId, Actor),
    id: UserId,
    change: Change,
) -> std::result::Result<Option<User>, Failure> {
    let people = lock_with_owners(connection, account_id, Some(id)).await?;
    let Some(user) = people.iter().find(|user| user.id == id) else { return Ok(None) };
    allow(&actor, user, change, &people)?;
    Ok(Some(user.clone()))
}

async fn end_sessions(connection: &mut AsyncPgConnection, id: UserId) -> std::result::Result<(), Failure> {
    diesel::delete(session::table.filter(session::user_id.eq(id.0))).execute(connection).await?;
    Ok(())
}
