use astranetmon_auth::{ManageAccount, Operator, ReadAccount, Scope};
use astranetmon_domain::{Account, AccountId, AccountName, Plan, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::failure::Failure;
use super::{PostgresStorage, Result, queries};
use crate::repository::{AccountRepository, AuditRepository};
use crate::rows::{AccountRow, AuditRow, NewAccountRow};
use crate::schema::{account, audit};
use crate::{AuditEntry, AuditPage, AuditPosition, StorageError};

pub(super) async fn record_audit(
    connection: &mut AsyncPgConnection,
    entry: &AuditRow,
) -> std::result::Result<(), Failure> {
    diesel::insert_into(audit::table).values(entry).execute(connection).await?;
    Ok(())
}

/// Turns a broken uniqueness into [`StorageError::Exists`].
pub(super) fn exists(error: diesel::result::Error, what: &'static str) -> Failure {
    let failure = Failure::from(error);
    if failure.is_duplicate() { StorageError::Exists { what }.into() } else { failure }
}

#[async_trait]
impl AccountRepository for PostgresStorage {
    async fn account_create(
        &self,
        operator: &Operator,
        name: &AccountName,
        plan: Plan,
        now: Timestamp,
    ) -> Result<Account> {
        let row = NewAccountRow { name: name.as_str(), plan: plan.as_str(), created_at: now.as_micros() };
        self.write("creating an account", async |connection| {
            connection
                .transaction(async |connection| {
                    let account = diesel::insert_into(account::table)
                        .values(&row)
                        .returning(AccountRow::as_returning())
                        .get_result(connection)
                        .await
                        .map_err(|error| exists(error, "an account of that name"))?
                        .into_account()?;
                    let actor = format!("system:{}", operator.reason());
                    let object = format!("account:{}", account.id);
                    record_audit(connection, &AuditRow::by(account.id, actor, "account.create", object, now)).await?;
                    Ok(account)
                })
                .await
        })
        .await
    }

    async fn account_list(&self, _: &Operator) -> Result<Vec<Account>> {
        let rows = self
            .read("listing accounts", async |connection| {
                let query = account::table.select(AccountRow::as_select()).order(account::name.asc());
                Ok(query.load(connection).await?)
            })
            .await?;
        rows.into_iter().map(AccountRow::into_account).collect()
    }

    async fn account_find_by_name(&self, _: &Operator, name: &AccountName) -> Result<Option<Account>> {
        let row = self
            .read("finding an account", async |connection| {
                let query = account::table.filter(account::name.eq(name.as_str())).select(AccountRow::as_select());
                Ok(query.first(connection).await.optional()?)
            })
            .await?;
        row.map(AccountRow::into_account).transpose()
    }

    async fn account_find(&self, _: &Operator, id: AccountId) -> Result<Option<Account>> {
        let row = self
            .read("finding an account", async |connection| {
                let query = account::table.find(id.0).select(AccountRow::as_select());
                Ok(query.first(connection).await.optional()?)
            })
            .await?;
        row.map(AccountRow::into_account).transpose()
    }

    async fn account_set_plan(
        &self,
        scope: &Scope<ManageAccount>,
        plan: Plan,
        now: Timestamp,
    ) -> Result<Option<Account>> {
        let id = scope.account_id();
        let row = self
            .write("changing a plan", async |connection| {
                connection
                    .transaction(async |connection| {
                        let row = diesel::update(account::table.find(id.0))
                            .set((account::plan.eq(plan.as_str()), account::data_version.eq(account::data_version + 1)))
                            .returning(AccountRow::as_returning())
                            .get_result(connection)
                            .await
                            .optional()?;
                        if row.is_some() {
                            let object = format!("account:{id} plan:{plan}");
                            record_audit(connection, &AuditRow::new(scope, "account.set_plan", object, now)).await?;
                        }
                        Ok::<_, Failure>(row)
                    })
                    .await
            })
            .await?;
        row.map(AccountRow::into_account).transpose()
    }
}

#[async_trait]
impl AuditRepository for PostgresStorage {
    async fn audit_page(
        &self,
        scope: &Scope<ReadAccount>,
        after: Option<AuditPosition>,
        limit: u32,
    ) -> Result<AuditPage> {
        let rows = self
            .read("reading the audit log", async |connection| {
                Ok(queries::audit_page(scope.account_id(), after, i64::from(limit) + 1).load(connection).await?)
            })
            .await?;
        Ok(AuditRow::into_page(rows, limit))
    }

    async fn audit_append(&self, _: &Operator, account_id: AccountId, entry: &AuditEntry) -> Result<()> {
        let row = AuditRow::of(account_id, entry);
        self.write("adding to the audit log", async |connection| record_audit(connection, &row).await).await
    }
}
