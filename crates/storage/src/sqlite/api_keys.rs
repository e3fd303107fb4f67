use astranetmon_auth::{
    ApiKeyRecord, KeyHash, KeyLookup, KeyPrincipal, LookupError, ManageAccount, NewApiKey, Operator, OwnKey,
    ReadAccount, Scope,
};
use astranetmon_domain::{AccountId, ApiKeyId, QuotaWindowId, Timestamp};
use astranetmon_ratelimit::{QuotaUnavailable, QuotaWindows, UsageCount, Window, WindowTake};
use async_trait::async_trait;
use diesel::dsl::max;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::accounts::record_audit;
use super::windows::Windows;
use super::{Result, SqliteStorage, queries};
use crate::StorageError;
use crate::repository::{ApiKeyRepository, UsageRepository};
use crate::rows::{ApiKeyRow, AuditRow, NewApiKeyRow, UsageRow};
use crate::schema::{account, api_key, key_usage};

/// A key's last use is written at most once a minute.
const LAST_USE_STEP: i64 = 60_000_000;

fn find(connection: &mut SqliteConnection, account_id: AccountId, id: i64) -> Result<Option<ApiKeyRow>> {
    let row = api_key::table
        .filter(api_key::account_id.eq(account_id.0))
        .filter(api_key::id.eq(id))
        .select(ApiKeyRow::as_select())
        .first(connection)
        .optional()?;
    Ok(row)
}

/// To be asked before a key is added.
fn refuse_one_too_many(connection: &mut SqliteConnection, account_id: AccountId, now: Timestamp) -> Result<()> {
    let live: i64 = api_key::table
        .filter(api_key::account_id.eq(account_id.0))
        .filter(api_key::revoked_at.is_null())
        .filter(api_key::expires_at.is_null().or(api_key::expires_at.gt(now.as_micros())))
        .count()
        .get_result(connection)?;
    let most = ApiKeyRecord::MAX_LIVE_PER_ACCOUNT;
    if usize::try_from(live).is_ok_and(|live| live >= most) {
        return Err(StorageError::TooMany { what: "live API keys", most });
    }
    Ok(())
}

fn insert(connection: &mut SqliteConnection, row: &NewApiKeyRow<'_>) -> Result<i64> {
    diesel::insert_into(api_key::table).values(row).execute(connection)?;
    // Ids only grow, and the writer is alone.
    let id: Option<i64> = api_key::table.select(max(api_key::id)).first(connection)?;
    id.ok_or(StorageError::Missing { what: "API key" })
}

#[async_trait]
impl ApiKeyRepository for SqliteStorage {
    async fn api_key_create(
        &self,
        scope: &Scope<ManageAccount>,
        key: &NewApiKey,
        now: Timestamp,
    ) -> Result<ApiKeyRecord> {
        let (scope, key) = (scope.clone(), key.clone());
        self.write(move |connection| {
            let account_id = scope.account_id();
            refuse_one_too_many(connection, account_id, now)?;
            let id = insert(connection, &NewApiKeyRow::new(account_id, 0, &key, now))?;
            diesel::update(api_key::table.find(id)).set(api_key::window_id.eq(id)).execute(connection)?;
            record_audit(connection, &AuditRow::new(&scope, "api_key.create", format!("key:{id}"), now))?;
            find(connection, account_id, id)?.ok_or(StorageError::Missing { what: "API key" })?.into_record()
        })
        .await
    }

    async fn api_key_list(&self, scope: &Scope<ReadAccount>) -> Result<Vec<ApiKeyRecord>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let rows = api_key::table
                .filter(api_key::account_id.eq(account_id.0))
                .select(ApiKeyRow::as_select())
                .order((api_key::created_at.desc(), api_key::id.desc()))
                .load(connection)?;
            rows.into_iter().map(ApiKeyRow::into_record).collect()
        })
        .await
    }

    async fn api_key_roll(
        &self,
        scope: &Scope<ManageAccount>,
        id: ApiKeyId,
        successor: &NewApiKey,
        old_ends_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<ApiKeyRecord>> {
        let (scope, successor) = (scope.clone(), successor.clone());
        self.write(move |connection| {
            let account_id = scope.account_id();
            let Some(old) = find(connection, account_id, id.0)? else { return Ok(None) };
            let window_id = old.window_id;
            let old = old.into_record()?;
            if old.state(now) != astranetmon_auth::ApiKeyState::Live {
                return Ok(None);
            }
            let ends_at = old.expires_at.map_or(old_ends_at, |expires_at| expires_at.min(old_ends_at));
            diesel::update(api_key::table.find(id.0))
                .set(api_key::expires_at.eq(ends_at.as_micros()))
                .execute(connection)?;
            refuse_one_too_many(connection, account_id, now)?;
            let new = insert(connection, &NewApiKeyRow::new(account_id, window_id, &successor, now))?;
            record_audit(connection, &AuditRow::new(&scope, "api_key.roll", format!("key:{id} to key:{new}"), now))?;
            find(connection, account_id, new)?.map(ApiKeyRow::into_record).transpose()
        })
        .await
    }

    async fn api_key_revoke(
        &self,
        scope: &Scope<ManageAccount>,
        id: ApiKeyId,
        now: Timestamp,
    ) -> Result<Option<ApiKeyRecord>> {
        let scope = scope.clone();
        self.write(move |connection| {
            let account_id = scope.account_id();
            let revoked = diesel::update(
                api_key::table
                    .filter(api_key::account_id.eq(account_id.0))
                    .filter(api_key::id.eq(id.0))
                    .filter(api_key::revoked_at.is_null()),
            )
            .set(api_key::revoked_at.eq(now.as_micros()))
            .execute(connection)?;
            if revoked > 0 {
                record_audit(connection, &AuditRow::new(&scope, "api_key.revoke", format!("key:{id}"), now))?;
            }
            find(connection, account_id, id.0)?.map(ApiKeyRow::into_record).transpose()
        })
        .await
    }
}

#[async_trait]
impl KeyLookup for SqliteStorage {
    async fn api_key_find_by_hash(&self, hash: &KeyHash) -> std::result::Result<Option<KeyPrincipal>, LookupError> {
        let hash = *hash;
        self.read(move |connection| {
            let found: Option<(ApiKeyRow, String)> = api_key::table
                .inner_join(account::table)
                .filter(api_key::hash.eq(hash.as_bytes().as_slice()))
                .select((ApiKeyRow::as_select(), account::plan))
                .first(connection)
                .optional()?;
            found.map(|(row, plan)| row.into_principal(&plan)).transpose()
        })
        .await
        .map_err(|error| LookupError(Box::new(error)))
    }
}

impl SqliteStorage {
    async fn load_window(&self, account_id: AccountId, id: QuotaWindowId) -> std::result::Result<(), QuotaUnavailable> {
        if !self.windows.is_loaded(id) {
            let stored = self
                .read(move |connection| Ok(Windows::read(connection, account_id, id)?))
                .await
                .map_err(|error| QuotaUnavailable(Box::new(error)))?;
            self.windows.load(account_id, id, stored);
        }
        Ok(())
    }
}

fn not_loaded() -> QuotaUnavailable {
    QuotaUnavailable(Box::new(StorageError::Internal { context: "a plan window was not loaded", source: None }))
}

#[async_trait]
impl QuotaWindows for SqliteStorage {
    async fn window_take(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        limit: u32,
        now: Timestamp,
    ) -> std::result::Result<WindowTake, QuotaUnavailable> {
        self.load_window(account_id, window_id).await?;
        self.windows.take(window_id, limit, now).ok_or_else(not_loaded)
    }

    async fn window_peek(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        now: Timestamp,
    ) -> std::result::Result<Option<Window>, QuotaUnavailable> {
        self.load_window(account_id, window_id).await?;
        self.windows.peek(window_id, now).ok_or_else(not_loaded)
    }
}

#[async_trait]
impl UsageRepository for SqliteStorage {
    async fn usage_add(&self, _: &Operator, counts: &[UsageCount]) -> Result<()> {
        let counts = counts.to_vec();
        self.write(move |connection| {
            for count in &counts {
                let row = UsageRow::new(count);
                diesel::insert_into(key_usage::table)
                    .values(&row)
                    .on_conflict((key_usage::account_id, key_usage::key_id, key_usage::hour))
                    .do_update()
                    .set((
                        key_usage::served.eq(key_usage::served + row.served),
                        key_usage::refused.eq(key_usage::refused + row.refused),
                    ))
                    .execute(connection)?;
                let last_used_at = count.last_used_at.as_micros();
                diesel::update(api_key::table.filter(api_key::id.eq(count.key_id.0)).filter(
                    api_key::last_used_at.is_null().or(api_key::last_used_at.le(last_used_at - LAST_USE_STEP)),
                ))
                .set(api_key::last_used_at.eq(last_used_at))
                .execute(connection)?;
            }
            Ok(())
        })
        .await
    }

    async fn usage_by_hour(
        &self,
        scope: &Scope<OwnKey>,
        key_id: ApiKeyId,
        since: Timestamp,
    ) -> Result<Vec<UsageCount>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let rows = key_usage::table
                .filter(key_usage::account_id.eq(account_id.0))
                .filter(key_usage::key_id.eq(key_id.0))
                .filter(key_usage::hour.ge(since.hour_start().as_micros()))
                .select(UsageRow::as_select())
                .order(key_usage::hour.asc())
                .load(connection)?;
            Ok(rows.into_iter().map(UsageRow::into_count).collect())
        })
        .await
    }

    async fn usage_of_account(&self, scope: &Scope<ReadAccount>, since: Timestamp) -> Result<Vec<UsageCount>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let rows = queries::usage_of_account(account_id, since).load(connection)?;
            Ok(rows.into_iter().map(UsageRow::into_count).collect())
        })
        .await
    }
}
