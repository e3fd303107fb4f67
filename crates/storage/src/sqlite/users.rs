use astranetmon_auth::{Actor, ManageAccount, Operator, OwnUser, PasswordHash, ReadAccount, Scope};
use astranetmon_domain::{AccountId, Timestamp, User, UserEmail, UserId, UserRole};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::accounts::{exists, record_audit};
use super::{Result, SqliteStorage};
use crate::StorageError;
use crate::ownership::{Change, allow, allow_adding};
use crate::repository::{NewUser, UserRepository};
use crate::rows::{AuditRow, NewUserRow, UserRow};
use crate::schema::{app_user, session};

pub(super) fn find_by_email(connection: &mut SqliteConnection, email: &UserEmail) -> Result<Option<User>> {
    let row = app_user::table
        .filter(app_user::email.eq(email.as_str()))
        .select(UserRow::as_select())
        .first(connection)
        .optional()?;
    row.map(UserRow::into_user).transpose()
}

#[async_trait]
impl UserRepository for SqliteStorage {
    async fn user_create(&self, scope: &Scope<ManageAccount>, user: &NewUser, now: Timestamp) -> Result<User> {
        let (scope, user) = (scope.clone(), user.clone());
        self.write(move |connection| {
            allow_adding(scope.actor(), user.role, &owners(connection, scope.account_id())?)?;
            let row = NewUserRow {
                account_id: scope.account_id().0,
                email: user.email.as_str(),
                role: user.role.as_str(),
                created_at: now.as_micros(),
            };
            diesel::insert_into(app_user::table)
                .values(&row)
                .execute(connection)
                .map_err(|error| exists(error, "a user with that e-mail address"))?;
            let user = find_by_email(connection, &user.email)?.ok_or(StorageError::Missing { what: "user" })?;
            let object = format!("user:{}", user.id);
            record_audit(connection, &AuditRow::new(&scope, "user.create", object, now))?;
            Ok(user)
        })
        .await
    }

    async fn user_list(&self, scope: &Scope<ReadAccount>) -> Result<Vec<User>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let rows = app_user::table
                .filter(app_user::account_id.eq(account_id.0))
                .select(UserRow::as_select())
                .order(app_user::email.asc())
                .load(connection)?;
            rows.into_iter().map(UserRow::into_user).collect()
        })
        .await
    }

    async fn user_find_by_email(&self, _: &Operator, email: &UserEmail) -> Result<Option<User>> {
        let email = email.clone();
        self.read(move |connection| find_by_email(connection, &email)).await
    }

    async fn user_find_to_sign_in(
        &self,
        _: &Operator,
        email: &UserEmail,
    ) -> Result<Option<(User, Option<PasswordHash>)>> {
        let email = email.clone();
        self.read(move |connection| {
            let found: Option<(UserRow, Option<String>)> = app_user::table
                .filter(app_user::email.eq(email.as_str()))
                .select((UserRow::as_select(), app_user::password_hash))
                .first(connection)
                .optional()?;
            found.map(|(row, hash)| Ok((row.into_user()?, hash.map(PasswordHash::from_stored)))).transpose()
        })
        .await
    }

    async fn user_set_password(
        &self,
        scope: &Scope<ManageAccount>,
        id: UserId,
        hash: &PasswordHash,
        now: Timestamp,
    ) -> Result<Option<User>> {
        let entry = AuditRow::new(scope, "user.set_password", format!("user:{id}"), now);
        self.set_password((scope.account_id(), scope.actor().clone()), id, hash.clone(), entry).await
    }

    async fn user_change_password(
        &self,
        scope: &Scope<OwnUser>,
        id: UserId,
        hash: &PasswordHash,
        now: Timestamp,
    ) -> Result<Option<User>> {
        let entry = AuditRow::new(scope, "user.change_password", format!("user:{id}"), now);
        self.set_password((scope.account_id(), scope.actor().clone()), id, hash.clone(), entry).await
    }

    async fn user_set_disabled(
        &self,
        scope: &Scope<ManageAccount>,
        id: UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<Option<User>> {
        let scope = scope.clone();
        self.write(move |connection| {
            let change = Change::Disabled(disabled);
            let Some(mut user) = find_to_change(connection, (scope.account_id(), scope.actor().clone()), id, change)?
            else {
                return Ok(None);
            };
            user.disabled_at = disabled.then(|| user.disabled_at.unwrap_or(now));
            diesel::update(app_user::table.find(id.0))
                .set(app_user::disabled_at.eq(user.disabled_at.map(Timestamp::as_micros)))
                .execute(connection)?;
            if disabled {
                end_sessions(connection, id)?;
            }
            let action = if disabled { "user.disable" } else { "user.enable" };
            record_audit(connection, &AuditRow::new(&scope, action, format!("user:{id}"), now))?;
            Ok(Some(user))
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
        let scope = scope.clone();
        self.write(move |connection| {
            let Some(mut user) =
                find_to_change(connection, (scope.account_id(), scope.actor().clone()), id, Change::Role(role))?
            else {
                return Ok(None);
            };
            user.role = role;
            diesel::update(app_user::table.find(id.0)).set(app_user::role.eq(role.as_str())).execute(connection)?;
            let object = format!("user:{id} role:{}", role.as_str());
            record_audit(connection, &AuditRow::new(&scope, "user.set_role", object, now))?;
            Ok(Some(user))
        })
        .await
    }
}

fn owners(connection: &mut SqliteConnection, account_id: AccountId) -> Result<Vec<User>> {
    let rows = app_user::table
        .filter(app_user::account_id.eq(account_id.0))
        .filter(app_user::role.eq(UserRole::Owner.as_str()))
        .select(UserRow::as_select())
        .load(connection)?;
    rows.into_iter().map(UserRow::into_user).collect()
}

/// The person, if the actor may do that to them.
fn find_to_change(
    connection: &mut SqliteConnection,
    (account_id, actor): (AccountId, Actor),
    id: UserId,
    change: Change,
) -> Result<Option<User>> {
    let Some(user) = find(connection, account_id, id)? else { return Ok(None) };
    allow(&actor, &user, change, &owners(connection, account_id)?)?;
    Ok(Some(user))
}

impl SqliteStorage {
    async fn set_password(
        &self,
        by: (AccountId, Actor),
        id: UserId,
        hash: PasswordHash,
        entry: AuditRow,
    ) -> Result<Option<User>> {
        self.write(move |connection| {
            let Some(user) = find_to_change(connection, by, id, Change::Password)? else { return Ok(None) };
            diesel::update(app_user::table.find(id.0))
                .set(app_user::password_hash.eq(hash.as_str()))
                .execute(connection)?;
            end_sessions(connection, id)?;
            record_audit(connection, &entry)?;
            Ok(Some(user))
        })
        .await
    }
}

fn find(connection: &mut SqliteConnection, account_id: AccountId, id: UserId) -> Result<Option<User>> {
    let row = app_user::table
        .filter(app_user::account_id.eq(account_id.0))
        .filter(app_user::id.eq(id.0))
        .select(UserRow::as_select())
        .first(connection)
        .optional()?;
    row.map(UserRow::into_user).transpose()
}

fn end_sessions(connection: &mut SqliteConnection, id: UserId) -> Result<()> {
    diesel::delete(session::table.filter(session::user_id.eq(id.0))).execute(connection)?;
    Ok(())
}
