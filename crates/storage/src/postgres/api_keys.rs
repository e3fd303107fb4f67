use astranetmon_auth::{
    ApiKeyRecord, ApiKeyState, KeyHash, KeyLookup, KeyPrincipal, LookupError, ManageAccount, NewApiKey, ReadAccount,
    Scope,
};
use astranetmon_domain::{AccountId, ApiKeyId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::accounts::record_audit;
use super::append::lock_account;
use super::failure::Failure;
use super::{PostgresStorage, Result};
use crate::StorageError;
use crate::repository::ApiKeyRepository;
use crate::rows::{ApiKeyRow, AuditRow, NewApiKeyRow};
use crate::schema::{account, api_key};

/// To be asked under the account's lock, before a key is added.
async fn refuse_one_too_many(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    now: Timestamp,
) -> std::result::Result<(), Failure> {
    let live: i64 = api_key::table
        .filter(api_key::account_id.eq(account_id.0))
        .filter(api_key::revoked_at.is_null())
        .filter(api_key::expires_at.is_null().or(api_key::expires_at.gt(now.as_micros())))
        .count()
        .get_result(connection)
        .await?;
    let most = ApiKeyRecord::MAX_LIVE_PER_ACCOUNT;
    if usize::try_from(live).is_ok_and(|live| live >= most) {
        return Err(StorageError::TooMany { what: "live API keys", most }.into());
    }
    Ok(())
}

#[async_trait]
impl ApiKeyRepository for PostgresStorage {
    async fn api_key_create(
        &self,
        scope: &Scope<ManageAccount>,
        key: &NewApiKey,
        now: Timestamp,
    ) -> Result<ApiKeyRecord> {
        let account_id = scope.account_id();
        self.write("creating an API key", async |connection| {
            connection
                .transaction(async |connection| {
                    lock_account(connection, account_id).await?;
                    refuse_one_too_many(connection, account_id, now).await?;
                    let id: i64 = diesel::insert_into(api_key::table)
                        .values(&NewApiKeyRow::new(account_id, 0, key, now))
                        .returning(api_key::id)
                        .get_result(connection)
                        .await?;
                    let row = diesel::update(api_key::table.find(id))
                        .set(api_key::window_id.eq(id))
                        .returning(ApiKeyRow::as_returning())
                        .get_result(connection)
                        .await?;
                    record_audit(connection, &AuditRow::new(scope, "api_key.create", format!("key:{id}"), now)).await?;
                    Ok::<_, Failure>(row.into_record()?)
                })
                .await
        })
        .await
    }

    async fn api_key_list(&self, scope: &Scope<ReadAccount>) -> Result<Vec<ApiKeyRecord>> {
        let rows = self
            .read("listing API keys", async |connection| {
                let query = api_key::table
                    .filter(api_key::account_id.eq(scope.account_id().0))
                    .select(ApiKeyRow::as_select())
                    .order((api_key::created_at.desc(), api_key::id.desc()));
                Ok(query.load(connection).await?)
            })
            .await?;
        rows.into_iter().map(ApiKeyRow::into_record).collect()
    }

    async fn api_key_roll(
        &self,
        scope: &Scope<ManageAccount>,
        id: ApiKeyId,
        successor: &NewApiKey,
        old_ends_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<ApiKeyRecord>> {
        let account_id = scope.account_id();
        self.write("rolling an API key", async |connection| {
            connection
                .transaction(async |connection| {
                    lock_account(connection, account_id).await?;
                    let Some(old) = find_locked(connection, account_id, id).await? else { return Ok(None) };
                    let window_id = old.window_id;
                    let old = old.into_record()?;
                    if old.state(now) != ApiKeyState::Live {
                        return Ok(None);
                    }
                    let ends_at = old.expires_at.map_or(old_ends_at, |expires_at| expires_at.min(old_ends_at));
                    diesel::update(api_key::table.find(id.0))
                        .set(api_key::expires_at.eq(ends_at.as_micros()))
                        .execute(connection)
                        .await?;
                    refuse_one_too_many(connection, account_id, now).await?;
                    let row = diesel::insert_into(api_key::table)
                        .values(&NewApiKeyRow::new(account_id, window_id, successor, now))
                        .returning(ApiKeyRow::as_returning())
                        .get_result(connection)
                        .await?;
                    let object = format!("key:{id} to key:{}", row.id);
                    record_audit(connection, &AuditRow::new(scope, "api_key.roll", object, now)).await?;
                    Ok::<_, Failure>(Some(row.into_record()?))
                })
                .await
        })
        .await
    }

    async fn api_key_revoke(
        &self,
        scope: &Scope<ManageAccount>,
        id: ApiKeyId,
        now: Timestamp,
    ) -> Result<Option<ApiKeyRecord>> {
        let account_id = scope.account_id();
        self.write("revoking an API key", async |connection| {
            connection
                .transaction(async |connection| {
                    let Some(row) = find_locked(connection, account_id, id).await? else { return Ok(None) };
                    let mut record = row.into_record()?;
                    if record.revoked_at.is_none() {
                        diesel::update(api_key::table.find(id.0))
                            .set(api_key::revoked_at.eq(now.as_micros()))
                            .execute(connection)
                            .await?;
                        let entry = AuditRow::new(scope, "api_key.revoke", format!("key:{id}"), now);
                        record_audit(connection, &entry).await?;
                        record.revoked_at = Some(now);
                    }
                    Ok::<_, Failure>(Some(record))
                })
                .await
        })
        .await
    }
}

/// The account's key of that id, locked until the transaction ends.
async fn find_locked(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    id: ApiKeyId,
) -> std::result::Result<Option<ApiKeyRow>, Failure> {
    let row = api_key::table
        .filter(api_key::account_id.eq(account_id.0))
        .filter(api_key::id.eq(id.0))
        .select(ApiKeyRow::as_select())
        .for_no_key_update()
        .first(connection)
        .await
        .optional()?;
    Ok(row)
}

#[async_trait]
impl KeyLookup for PostgresStorage {
    async fn api_key_find_by_hash(&self, hash: &KeyHash) -> std::result::Result<Option<KeyPrincipal>, LookupError> {
        let found: Result<Option<(ApiKeyRow, String)>> = self
            .gate("looking up an API key", async |connection| {
                let query = api_key::table
                    .inner_join(account::table)
                    .filter(api_key::hash.eq(hash.as_bytes().as_slice()))
                    .select((ApiKeyRow::as_select(), account::plan));
                Ok(query.first(connection).await.optional()?)
            })
            .await;
        found
            .and_then(|found| found.map(|(row, plan)| row.into_principal(&plan)).transpose())
            .map_err(|error| LookupError(Box::new(error)))
    }
}
