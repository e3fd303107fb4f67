use std::time::Instant;

use astranetmon_auth::{Ingest, ManageAccount, ReadAccount, Scope};
use astranetmon_domain::{AccountId, Retention, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use crate::StorageError;
use crate::postgres::accounts::record_audit;
use crate::postgres::failure::Failure;
use crate::postgres::{PostgresStorage, Result};
use crate::repository::{IngestRetention, RetentionRepository, RetentionSetting};
use crate::rows::{AuditRow, RetentionChoice, RetentionRow, retention_object};
use crate::schema::account;

#[async_trait]
impl RetentionRepository for PostgresStorage {
    async fn retention_of(&self, scope: &Scope<ReadAccount>) -> Result<RetentionSetting> {
        let row = self.read("reading what is kept", async |connection| find(connection, scope.account_id()).await);
        row.await?.setting()
    }

    async fn retention_set(
        &self,
        scope: &Scope<ManageAccount>,
        choice: Option<Retention>,
        now: Timestamp,
    ) -> Result<()> {
        let id = scope.account_id();
        self.write("choosing what is kept", async |connection| {
            connection
                .transaction(async |connection| {
                    let bound = find(connection, id).await?.setting()?.plan;
                    let choice_row = RetentionChoice::new(choice, bound)?;
                    diesel::update(account::table.find(id.0))
                        .set((choice_row, account::data_version.eq(account::data_version + 1)))
                        .execute(connection)
                        .await?;
                    let object = retention_object(id, choice);
                    record_audit(connection, &AuditRow::new(scope, "account.set_retention", object, now)).await
                })
                .await
        })
        .await
    }

    async fn retention_for_ingest(&self, scope: &Scope<Ingest>) -> Result<IngestRetention> {
        let account_id = scope.account_id();
        if let Some(kept) = self.lanes.retentions.get(account_id) {
            return Ok(kept);
        }
        let began = Instant::now();
        let row = self.read("reading what is kept", async |connection| find(connection, account_id).await).await?;
        let retention = row.for_ingest()?;
        self.lanes.retentions.keep(account_id, began, retention);
        Ok(retention)
    }
}

/// What the account keeps, if there is such an account.
pub(super) async fn kept_by(
    connection: &mut AsyncPgConnection,
    id: AccountId,
) -> std::result::Result<Option<Retention>, Failure> {
    let query = account::table.find(id.0).select(RetentionRow::as_select());
    let row: Option<RetentionRow> = query.first(connection).await.optional()?;
    Ok(row.map(|row| row.setting()).transpose()?.map(|setting| setting.effective()))
}

async fn find(connection: &mut AsyncPgConnection, id: AccountId) -> std::result::Result<RetentionRow, Failure> {
    let query = account::table.find(id.0).select(RetentionRow::as_select());
    let row = query.first(connection).await.optional()?;
    row.ok_or_else(|| StorageError::Missing { what: "account" }.into())
}
