//! Accounts, people, keys, their use, and the audit log.

use astranetmon_auth::{
    Access, ApiKeyRecord, KeyHash, KeyHint, KeyPrincipal, NewApiKey, NewSession, Scope, SessionHash, SessionRecord,
};
use astranetmon_domain::{
    Account, AccountId, ApiKeyId, Plan, QuotaWindowId, SessionId, Timestamp, User, UserId, clean_text,
};
use astranetmon_ratelimit::UsageCount;
use diesel::prelude::*;

use super::{Result, foreign, time};
use crate::random::random_bytes;
use crate::repository::actor_text;
use crate::schema::{account, api_key, app_user, audit, key_usage, session};
use crate::{AuditEntry, AuditPage, AuditPosition};

#[derive(Queryable, Selectable)]
#[diesel(table_name = account)]
pub(crate) struct AccountRow {
    id: i64,
    name: String,
    plan: String,
    created_at: i64,
}

impl AccountRow {
    pub(crate) fn into_account(self) -> Result<Account> {
        Ok(Account {
            id: AccountId(self.id),
            name: self.name.parse().map_err(|_| foreign("an account's name"))?,
            plan: self.plan.parse().map_err(|_| foreign("an account's plan"))?,
            created_at: time(self.created_at),
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = account)]
pub(crate) struct NewAccountRow<'a> {
    pub(crate) name: &'a str,
    pub(crate) plan: &'a str,
    pub(crate) created_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = app_user)]
pub(crate) struct UserRow {
    id: i64,
    account_id: i64,
    email: String,
    role: String,
    created_at: i64,
    disabled_at: Option<i64>,
}

impl UserRow {
    pub(crate) fn into_user(self) -> Result<User> {
        Ok(User {
            id: UserId(self.id),
            account_id: AccountId(self.account_id),
            email: self.email.parse().map_err(|_| foreign("a user's address"))?,
            role: self.role.parse().map_err(|()| foreign("a user's role"))?,
            created_at: time(self.created_at),
            disabled_at: self.disabled_at.map(time),
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = app_user)]
pub(crate) struct NewUserRow<'a> {
    pub(crate) account_id: i64,
    pub(crate) email: &'a str,
    pub(crate) role: &'a str,
    pub(crate) created_at: i64,
}

/// A session without its hash, which nothing needs to read back.
#[derive(Queryable, Selectable)]
#[diesel(table_name = session)]
pub(crate) struct SessionRow {
    pub(crate) id: i64,
    account_id: i64,
    user_id: i64,
    created_at: i64,
    last_seen_at: i64,
    address: Option<String>,
    user_agent: Option<String>,
}

impl SessionRow {
    pub(crate) fn into_record(self) -> SessionRecord {
        SessionRecord {
            id: SessionId(self.id),
            user_id: UserId(self.user_id),
            account_id: AccountId(self.account_id),
            created_at: time(self.created_at),
            last_seen_at: time(self.last_seen_at),
            address: self.address,
            user_agent: self.user_agent,
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = session)]
pub(crate) struct NewSessionRow<'a> {
    hash: &'a [u8],
    account_id: i64,
    user_id: i64,
    created_at: i64,
    last_seen_at: i64,
    address: Option<&'a str>,
    user_agent: Option<&'a str>,
}

impl<'a> NewSessionRow<'a> {
    pub(crate) fn new(account_id: AccountId, session: &'a NewSession, now: Timestamp) -> Self {
        let hash: &SessionHash = &session.hash;
        Self {
            hash: hash.as_bytes(),
            account_id: account_id.0,
            user_id: session.user_id.0,
            created_at: now.as_micros(),
            last_seen_at: now.as_micros(),
            address: session.address.as_deref(),
            user_agent: session.user_agent.as_deref(),
        }
    }
}

/// Sessions that began, or were last seen, at this time or before have ended by themselves at the time `now`.
pub(crate) struct SessionEnds {
    pub(crate) created_at: i64,
    pub(crate) last_seen_at: i64,
}

impl SessionEnds {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self {
            created_at: now.plus_seconds(-SessionRecord::LONGEST_SECONDS).as_micros(),
            last_seen_at: now.plus_seconds(-SessionRecord::IDLE_SECONDS).as_micros(),
        }
    }
}

/// A key without its hash, which nothing needs to read back.
#[derive(Queryable, Selectable)]
#[diesel(table_name = api_key)]
pub(crate) struct ApiKeyRow {
    pub(crate) id: i64,
    account_id: i64,
    pub(crate) window_id: i64,
    name: String,
    hint: String,
    permissions: String,
    created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl ApiKeyRow {
    pub(crate) fn into_record(self) -> Result<ApiKeyRecord> {
        Ok(ApiKeyRecord {
            id: ApiKeyId(self.id),
            account_id: AccountId(self.account_id),
            window_id: QuotaWindowId(self.window_id),
            name: self.name,
            hint: KeyHint::from_stored(self.hint),
            permissions: self.permissions.parse().map_err(|_| foreign("a key's permissions"))?,
            created_at: time(self.created_at),
            expires_at: self.expires_at.map(time),
            last_used_at: self.last_used_at.map(time),
            revoked_at: self.revoked_at.map(time),
        })
    }

    pub(crate) fn into_principal(self, plan: &str) -> Result<KeyPrincipal> {
        let plan: Plan = plan.parse().map_err(|_| foreign("an account's plan"))?;
        Ok(KeyPrincipal { key: self.into_record()?, plan })
    }
}

#[derive(Insertable)]
#[diesel(table_name = api_key)]
pub(crate) struct NewApiKeyRow<'a> {
    account_id: i64,
    window_id: i64,
    hash: &'a [u8],
    hint: &'a str,
    name: &'a str,
    permissions: String,
    created_at: i64,
    expires_at: Option<i64>,
}

impl<'a> NewApiKeyRow<'a> {
    /// `window_id` 0 stands for the key's own id, which is not known yet.
    pub(crate) fn new(account_id: AccountId, window_id: i64, key: &'a NewApiKey, now: Timestamp) -> Self {
        let hash: &KeyHash = &key.hash;
        Self {
            account_id: account_id.0,
            window_id,
            hash: hash.as_bytes(),
            hint: key.hint.as_str(),
            name: &key.name,
            permissions: key.permissions.to_string(),
            created_at: now.as_micros(),
            expires_at: key.expires_at.map(Timestamp::as_micros),
        }
    }
}

#[derive(Queryable, Selectable, Insertable, Clone)]
#[diesel(table_name = key_usage)]
pub(crate) struct UsageRow {
    pub(crate) account_id: i64,
    pub(crate) key_id: i64,
    pub(crate) hour: i64,
    pub(crate) served: i64,
    pub(crate) refused: i64,
}

impl UsageRow {
    pub(crate) fn new(count: &UsageCount) -> Self {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        Self {
            account_id: count.account_id.0,
            key_id: count.key_id.0,
            hour: count.hour.as_micros(),
            served: number(count.served),
            refused: number(count.refused),
        }
    }

    pub(crate) fn into_count(self) -> UsageCount {
        UsageCount {
            account_id: AccountId(self.account_id),
            key_id: ApiKeyId(self.key_id),
            hour: time(self.hour),
            served: self.served.unsigned_abs(),
            refused: self.refused.unsigned_abs(),
            last_used_at: time(self.hour),
        }
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit)]
pub(crate) struct AuditRow {
    account_id: i64,
    at: i64,
    id: i64,
    actor: String,
    action: String,
    object: String,
}

impl AuditRow {
    pub(crate) fn new<A: Access>(scope: &Scope<A>, action: &str, object: String, now: Timestamp) -> Self {
        Self::by(scope.account_id(), actor_text(scope), action, object, now)
    }

    pub(crate) fn by(account_id: AccountId, actor: String, action: &str, object: String, now: Timestamp) -> Self {
        // Entries of one microsecond are told apart by chance; their order among themselves carries no meaning.
        let id = i64::from_le_bytes(random_bytes().unwrap_or_default());
        Self { account_id: account_id.0, at: now.as_micros(), id, actor, action: action.to_owned(), object }
    }

    pub(crate) fn of(account_id: AccountId, entry: &AuditEntry) -> Self {
        let text = |text: &str| clean_text(text, AuditEntry::MAX_TEXT_CHARS);
        Self::by(account_id, text(&entry.actor), &text(&entry.action), text(&entry.object), entry.at)
    }

    /// A page, of which one row more was fetched than it holds.
    pub(crate) fn into_page(mut rows: Vec<Self>, limit: u32) -> AuditPage {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| AuditPosition { at: time(row.at), id: row.id });
        AuditPage { entries: rows.into_iter().map(Self::into_entry).collect(), next }
    }

    fn into_entry(self) -> AuditEntry {
        AuditEntry { at: time(self.at), actor: self.actor, action: self.action, object: self.object }
    }
}
