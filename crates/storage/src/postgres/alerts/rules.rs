use astranetmon_auth::{ManageAccount, ReadAlerts, Scope};
use astranetmon_domain::{AccountId, AlertChannelId, AlertRule, AlertRuleDefinition, AlertRuleId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::queries;
use crate::StorageError;
use crate::postgres::accounts::record_audit;
use crate::postgres::append::lock_account;
use crate::postgres::failure::Failure;
use crate::postgres::{PostgresStorage, Result};
use crate::random::fresh_id;
use crate::repository::AlertRuleRepository;
use crate::rows::{AlertRuleChannelRow, AlertRuleRow, AuditRow, RULE_ENDED, rules_with_channels};
use crate::schema::{alert_event, alert_rule, alert_rule_channel, alert_state};

type Work<T> = std::result::Result<T, Failure>;

async fn load(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    id: Option<AlertRuleId>,
) -> Work<Vec<AlertRule>> {
    let rules = queries::alert_rules(account_id, id.as_ref()).load(connection).await?;
    let channels = queries::alert_rule_channels(account_id, id.as_ref()).load(connection).await?;
    Ok(rules_with_channels(rules, &channels)?)
}

/// The rule, locked, so that no evaluation of it is written beside its change.
async fn lock_rule(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    id: AlertRuleId,
) -> Work<Option<AlertRuleRow>> {
    let rule = alert_rule::table
        .find((account_id.0, id.0.as_bytes().as_slice()))
        .select(AlertRuleRow::as_select())
        .for_update()
        .first(connection)
        .await;
    Ok(rule.optional()?)
}

/// Replaces a rule's channels. To be asked under the account's lock, under which channels are deleted too.
async fn set_channels(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    rule_id: &[u8],
    channels: &[AlertChannelId],
) -> Work<()> {
    let rows = AlertRuleChannelRow::of(account_id, rule_id, channels);
    let known: Vec<Vec<u8>> = queries::known_channels(account_id, channels).load(connection).await?;
    if known.len() < rows.len() {
        return Err(StorageError::Missing { what: "alert channel" }.into());
    }
    forget_channels(connection, account_id, rule_id).await?;
    diesel::insert_into(alert_rule_channel::table).values(&rows).execute(connection).await?;
    Ok(())
}

async fn forget_channels(connection: &mut AsyncPgConnection, account_id: AccountId, rule_id: &[u8]) -> Work<()> {
    let own = alert_rule_channel::table
        .filter(alert_rule_channel::account_id.eq(account_id.0))
        .filter(alert_rule_channel::rule_id.eq(rule_id));
    diesel::delete(own).execute(connection).await?;
    Ok(())
}

/// Forgets how a rule stood and resolves what had fired.
async fn begin_anew(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    rule_id: &[u8],
    now: Timestamp,
) -> Work<()> {
    let states =
        alert_state::table.filter(alert_state::account_id.eq(account_id.0)).filter(alert_state::rule_id.eq(rule_id));
    diesel::delete(states).execute(connection).await?;
    let open = alert_event::table
        .filter(alert_event::account_id.eq(account_id.0))
        .filter(alert_event::rule_id.eq(rule_id))
        .filter(alert_event::resolved_at.is_null());
    diesel::update(open)
        .set((alert_event::resolved_at.eq(now.as_micros()), alert_event::resolution.eq(RULE_ENDED)))
        .execute(connection)
        .await?;
    Ok(())
}

async fn redefine(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    old: &AlertRuleRow,
    (definition, last_sequence): (&AlertRuleDefinition, i64),
    now: Timestamp,
) -> Work<()> {
    let new = old.redefined(definition, last_sequence);
    diesel::update(alert_rule::table.find((account_id.0, &old.id))).set(&new).execute(connection).await?;
    set_channels(connection, account_id, &old.id, &definition.channels).await?;
    begin_anew(connection, account_id, &old.id, now).await
}

#[async_trait]
impl AlertRuleRepository for PostgresStorage {
    async fn alert_rule_create(
        &self,
        scope: &Scope<ManageAccount>,
        definition: &AlertRuleDefinition,
        now: Timestamp,
    ) -> Result<AlertRule> {
        let account_id = scope.account_id();
        let id = AlertRuleId(fresh_id(now)?);
        self.write("creating an alert rule", async |connection| {
            connection
                .transaction(async |connection| {
                    let last_sequence = lock_account(connection, account_id).await?;
                    let own = alert_rule::table.filter(alert_rule::account_id.eq(account_id.0));
                    let rules: i64 = own.count().get_result(connection).await?;
                    let most = AlertRule::MAX_PER_ACCOUNT;
                    if usize::try_from(rules).is_ok_and(|rules| rules >= most) {
                        return Err(StorageError::TooMany { what: "alert rules", most }.into());
                    }
                    let row = AlertRuleRow::new(account_id, id, definition, last_sequence, now);
                    diesel::insert_into(alert_rule::table).values(&row).execute(connection).await?;
                    set_channels(connection, account_id, &row.id, &definition.channels).await?;
                    let entry = AuditRow::new(scope, "alert_rule.create", format!("alert_rule:{id}"), now);
                    record_audit(connection, &entry).await?;
                    let made = load(connection, account_id, Some(id)).await?.pop();
                    made.ok_or_else(|| Failure::from(StorageError::Missing { what: "alert rule" }))
                })
                .await
        })
        .await
    }

    async fn alert_rule_list(&self, scope: &Scope<ReadAlerts>) -> Result<Vec<AlertRule>> {
        self.read("listing alert rules", async |connection| load(connection, scope.account_id(), None).await).await
    }

    async fn alert_rule_find(&self, scope: &Scope<ReadAlerts>, id: AlertRuleId) -> Result<Option<AlertRule>> {
        self.read("finding an alert rule", async |connection| {
            Ok(load(connection, scope.account_id(), Some(id)).await?.pop())
        })
        .await
    }

    async fn alert_rule_update(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertRuleId,
        definition: &AlertRuleDefinition,
        now: Timestamp,
    ) -> Result<Option<AlertRule>> {
        let account_id = scope.account_id();
        self.write("changing an alert rule", async |connection| {
            connection
                .transaction(async |connection| {
                    let last_sequence = lock_account(connection, account_id).await?;
                    let Some(old) = lock_rule(connection, account_id, id).await? else { return Ok(None) };
                    redefine(connection, account_id, &old, (definition, last_sequence), now).await?;
                    let entry = AuditRow::new(scope, "alert_rule.update", format!("alert_rule:{id}"), now);
                    record_audit(connection, &entry).await?;
                    Ok::<_, Failure>(load(connection, account_id, Some(id)).await?.pop())
                })
                .await
        })
        .await
    }

    async fn alert_rule_set_enabled(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertRuleId,
        enabled: bool,
        now: Timestamp,
    ) -> Result<Option<AlertRule>> {
        let account_id = scope.account_id();
        self.write("switching an alert rule", async |connection| {
            connection
                .transaction(async |connection| {
                    let last_sequence = lock_account(connection, account_id).await?;
                    let Some(old) = lock_rule(connection, account_id, id).await? else { return Ok(None) };
                    let Some(rule) = load(connection, account_id, Some(id)).await?.pop() else { return Ok(None) };
                    if old.enabled == enabled {
                        return Ok(Some(rule));
                    }
                    let definition = AlertRuleDefinition { enabled, ..rule.definition };
                    redefine(connection, account_id, &old, (&definition, last_sequence), now).await?;
                    let action = if enabled { "alert_rule.enable" } else { "alert_rule.disable" };
                    let entry = AuditRow::new(scope, action, format!("alert_rule:{id}"), now);
                    record_audit(connection, &entry).await?;
                    Ok::<_, Failure>(load(connection, account_id, Some(id)).await?.pop())
                })
                .await
        })
        .await
    }

    async fn alert_rule_delete(&self, scope: &Scope<ManageAccount>, id: AlertRuleId, now: Timestamp) -> Result<bool> {
        let account_id = scope.account_id();
        self.write("deleting an alert rule", async |connection| {
            connection
                .transaction(async |connection| {
                    let Some(rule) = lock_rule(connection, account_id, id).await? else { return Ok(false) };
                    begin_anew(connection, account_id, &rule.id, now).await?;
                    forget_channels(connection, account_id, &rule.id).await?;
                    diesel::delete(alert_rule::table.find((account_id.0, &rule.id))).execute(connection).await?;
                    let entry = AuditRow::new(scope, "alert_rule.delete", format!("alert_rule:{id}"), now);
                    record_audit(connection, &entry).await?;
                    Ok::<_, Failure>(true)
                })
                .await
        })
        .await
    }
}
