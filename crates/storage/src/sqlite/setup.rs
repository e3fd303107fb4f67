use astranetmon_auth::{Operator, SetupHash};
use astranetmon_domain::{AccountId, Timestamp, UserRole};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::accounts::{exists, find_by_name, record_audit};
use super::users::find_by_email;
use super::{Result, SqliteStorage};
use crate::StorageError;
use crate::repository::{FirstOwner, Setup, SetupRepository};
use crate::rows::{AuditRow, NewAccountRow, NewUserRow, SETUP, is_offered, setup_offer_bytes};
use crate::schema::{account, app_user, setting};

#[async_trait]
impl SetupRepository for SqliteStorage {
    async fn setup_is_open(&self, _: &Operator) -> Result<bool> {
        self.read(nobody_is_there).await
    }

    async fn setup_offer(&self, _: &Operator, hash: &SetupHash, ends_at: Timestamp) -> Result<bool> {
        let offer = setup_offer_bytes(hash, ends_at);
        self.write(move |connection| {
            if !nobody_is_there(connection)? {
                return Ok(false);
            }
            diesel::replace_into(setting::table)
                .values((setting::name.eq(SETUP), setting::value.eq(offer.as_slice())))
                .execute(connection)?;
            Ok(true)
        })
        .await
    }

    async fn setup_complete(
        &self,
        operator: &Operator,
        hash: &SetupHash,
        owner: &FirstOwner,
        now: Timestamp,
    ) -> Result<Setup> {
        let (hash, owner, actor) = (*hash, owner.clone(), format!("system:{}", operator.reason()));
        self.write(move |connection| {
            if !nobody_is_there(connection)? {
                return Ok(Setup::Closed);
            }
            let offer: Option<Vec<u8>> =
                setting::table.find(SETUP).select(setting::value).first(connection).optional()?;
            if !offer.is_some_and(|offer| is_offered(&offer, &hash, now)) {
                return Ok(Setup::Refused);
            }
            let audit = |connection: &mut SqliteConnection, account_id: AccountId, action, object| {
                record_audit(connection, &AuditRow::by(account_id, actor.clone(), action, object, now))
            };
            let account = match find_by_name(connection, &owner.account)? {
                Some(account) => account,
                None => {
                    let row = NewAccountRow {
                        name: owner.account.as_str(),
                        plan: owner.plan.as_str(),
                        created_at: now.as_micros(),
                    };
                    diesel::insert_into(account::table).values(&row).execute(connection)?;
                    let account = find_by_name(connection, &owner.account)?;
                    let account = account.ok_or(StorageError::Missing { what: "account" })?;
                    audit(connection, account.id, "account.create", format!("account:{}", account.id))?;
                    account
                }
            };
            let row = NewUserRow {
                account_id: account.id.0,
                email: owner.email.as_str(),
                role: UserRole::Owner.as_str(),
                created_at: now.as_micros(),
            };
            diesel::insert_into(app_user::table)
                .values((&row, app_user::password_hash.eq(owner.password.as_str())))
                .execute(connection)
                .map_err(|error| exists(error, "a user with that e-mail address"))?;
            let user = find_by_email(connection, &owner.email)?.ok_or(StorageError::Missing { what: "user" })?;
            audit(connection, account.id, "user.create", format!("user:{}", user.id))?;
            diesel::delete(setting::table.find(SETUP)).execute(connection)?;
            Ok(Setup::Done(account, user))
        })
        .await
    }
}

fn nobody_is_there(connection: &mut SqliteConnection) -> Result<bool> {
    let anybody: Option<i64> = app_user::table.select(app_user::id).first(connection).optional()?;
    Ok(anybody.is_none())
}
