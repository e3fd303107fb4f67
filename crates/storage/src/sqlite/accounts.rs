use astranetmon_auth::{ManageAccount, Operator, ReadAccount, Scope};
use astranetmon_domain::{Account, AccountId, AccountName, Plan, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sqlite::SqliteConnection;

use super::{Result, SqliteStorage, queries};
use crate::repository::{AccountRepository, AuditRepository};
use crate::rows::{AccountRow, AuditRow, NewAccountRow};
use crate::schema::{account, audit};
use crate::{AuditEntry, AuditPage, AuditPosition, StorageError};

pub(super) fn record_audit(connection: &mut SqliteConnection, entry: &AuditRow) -> Result<()> {
    diesel::insert_into(audit::table).values(entry).execute(connection)?;
    Ok(())
}

/// Turns a broken uniqueness into [`StorageError::Exists`].
pub(super) fn exists(error: Error, what: &'static str) -> StorageError {
    match error {
        Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => StorageError::Exists { what },
        error => error.into(),
    }
}

#[async_trait]
impl AccountRepository for SqliteStorage {
    async fn account_create(
        &self,
        operator: &Operator,
        name: &AccountName,
        plan: Plan,
        now: Timestamp,
    ) -> Result<Account> {
        let (name, actor) = (name.clone(), format!("system:{}", operator.reason()));
        self.write(move |connection| {
            let row = NewAccountRow { name: name.as_str(), plan: plan.as_str(), created_at: now.as_micros() };
            diesel::insert_into(account::table)
                .values(&row)
                .execute(connection)
                .map_err(|error| exists(error, "an account of that name"))?;
            let account = find_by_name(connection, &name)?.ok_or(StorageError::Missing { what: "account" })?;
            let object = format!("account:{}", account.id);
            record_audit(connection, &AuditRow::by(account.id, actor, "account.create", object, now))?;
            Ok(account)
        })
        .await
    }

    async fn account_list(&self, _: &Operator) -> Result<Vec<Account>> {
        self.read(|connection| {
            let rows = account::table.select(AccountRow::as_select()).order(account::name.asc()).load(connection)?;
            rows.into_iter().map(AccountRow::into_account).collect()
        })
        .await
    }

    async fn account_find_by_name(&self, _: &Operator, name: &AccountName) -> Result<Option<Account>> {
        let name = name.clone();
        self.read(move |connection| find_by_name(connection, &name)).await
    }

    async fn account_find(&self, _: &Operator, id: AccountId) -> Result<Option<Account>> {
        self.read(move |connection| {
            let row = account::table.find(id.0).select(AccountRow::as_select()).first(connection).optional()?;
            row.map(AccountRow::into_account).transpose()
        })
        .await
    }

    async fn account_set_plan(
        &self,
        scope: &Scope<ManageAccount>,
        plan: Plan,
        now: Timestamp,
    ) -> Result<Option<Account>> {
        let scope = scope.clone();
        self.write(move |connection| {
            let id = scope.account_id();
            let found = diesel::update(account::table.find(id.0))
                .set((account::plan.eq(plan.as_str()), account::data_version.eq(account::data_version + 1)))
                .execute(connection)?;
            if found == 0 {
                return Ok(None);
            }
            let object = format!("account:{id} plan:{plan}");
            record_audit(connection, &AuditRow::new(&scope, "account.set_plan", object, now))?;
            let row = account::table.find(id.0).select(AccountRow::as_select()).first(connection)?;
            row.into_account().map(Some)
        })
        .await
    }
}

pub(super) fn find_by_name(connection: &mut SqliteConnection, name: &AccountName) -> Result<Option<Account>> {
    let row = account::table
        .filter(account::name.eq(name.as_str()))
        .select(AccountRow::as_select())
        .first(connection)
        .optional()?;
    row.map(AccountRow::into_account).transpose()
}

#[async_trait]
impl AuditRepository for SqliteStorage {
    async fn audit_page(
        &self,
        scope: &Scope<ReadAccount>,
        after: Option<AuditPosition>,
        limit: u32,
    ) -> Result<AuditPage> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let rows = queries::audit_page(account_id, after, i64::from(limit) + 1).load(connection)?;
            Ok(AuditRow::into_page(rows, limit))
        })
        .await
    }

    async fn audit_append(&self, _: &Operator, account_id: AccountId, entry: &AuditEntry) -> Result<()> {
        let row = AuditRow::of(account_id, entry);
        self.write(move |connection| record_audit(connection, &row)).await
    }
}
