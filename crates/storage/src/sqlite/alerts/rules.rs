use astranetmon_auth::{ManageAccount, ReadAlerts, Scope};
use astranetmon_domain::{AccountId, AlertChannelId, AlertRule, AlertRuleDefinition, AlertRuleId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::queries;
use crate::StorageError;
use crate::random::fresh_id;
use crate::repository::AlertRuleRepository;
use crate::rows::{AlertRuleChannelRow, AlertRuleRow, AuditRow, RULE_ENDED, rules_with_channels};
use crate::schema::{account, alert_event, alert_rule, alert_rule_channel, alert_state};
use crate::sqlite::accounts::record_audit;
use crate::sqlite::{Result, SqliteStorage};

fn find(connection: &mut SqliteConnection, account_id: AccountId, id: AlertRuleId) -> Result<Option<AlertRuleRow>> {
    Ok(queries::alert_rules(account_id, Some(&id)).first(connection).optional()?)
}

fn load(connection: &mut SqliteConnection, account_id: AccountId, id: Option<AlertRuleId>) -> Result<Vec<AlertRule>> {
    let rules = queries::alert_rules(account_id, id.as_ref()).load(connection)?;
    let channels = queries::alert_rule_channels(account_id, id.as_ref()).load(connection)?;
    rules_with_channels(rules, &channels)
}

fn last_sequence(connection: &mut SqliteConnection, account_id: AccountId) -> Result<i64> {
    let sequence = account::table.find(account_id.0).select(account::last_sequence).first(connection).optional()?;
    sequence.ok_or(StorageError::Missing { what: "account" })
}

/// Replaces a rule's channels.
fn set_channels(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    rule_id: &[u8],
    channels: &[AlertChannelId],
) -> Result<()> {
    let rows = AlertRuleChannelRow::of(account_id, rule_id, channels);
    let known: Vec<Vec<u8>> = queries::known_channels(account_id, channels).load(connection)?;
    if known.len() < rows.len() {
        return Err(StorageError::Missing { what: "alert channel" });
    }
    forget_channels(connection, account_id, rule_id)?;
    diesel::insert_into(alert_rule_channel::table).values(&rows).execute(connection)?;
    Ok(())
}

fn forget_channels(connection: &mut SqliteConnection, account_id: AccountId, rule_id: &[u8]) -> Result<()> {
    let own = alert_rule_channel::table
        .filter(alert_rule_channel::account_id.eq(account_id.0))
        .filter(alert_rule_channel::rule_id.eq(rule_id));
    diesel::delete(own).execute(connection)?;
    Ok(())
}

/// Forgets how a rule stood and resolves what had fired.
fn begin_anew(connection: &mut SqliteConnection, account_id: AccountId, rule_id: &[u8], now: Timestamp) -> Result<()> {
    let states =
        alert_state::table.filter(alert_state::account_id.eq(account_id.0)).filter(alert_state::rule_id.eq(rule_id));
    diesel::delete(states).execute(connection)?;
    let open = alert_event::table
        .filter(alert_event::account_id.eq(account_id.0))
        .filter(alert_event::rule_id.eq(rule_id))
        .filter(alert_event::resolved_at.is_null());
    diesel::update(open)
        .set((alert_event::resolved_at.eq(now.as_micros()), alert_event::resolution.eq(RULE_ENDED)))
        .execute(connection)?;
    Ok(())
}

fn redefine(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    old: &AlertRuleRow,
    definition: &AlertRuleDefinition,
    now: Timestamp,
) -> Result<()> {
    let new = old.redefined(definition, last_sequence(connection, account_id)?);
    diesel::update(alert_rule::table.find((account_id.0, &old.id))).set(&new).execute(connection)?;
    set_channels(connection, account_id, &old.id, &definition.channels)?;
    begin_anew(connection, account_id, &old.id, now)
}

#[async_trait]
impl AlertRuleRepository for SqliteStorage {
    async fn alert_rule_create(
        &self,
        scope: &Scope<ManageAccount>,
        definition: &AlertRuleDefinition,
        now: Timestamp,
    ) -> Result<AlertRule> {
        let (scope, definition, id) = (scope.clone(), definition.clone(), AlertRuleId(fresh_id(now)?));
        let account_id = scope.account_id();
        self.write(move |connection| {
            let start_sequence = last_sequence(connection, account_id)?;
            let rules: i64 =
                alert_rule::table.filter(alert_rule::account_id.eq(account_id.0)).count().get_result(connection)?;
            let most = AlertRule::MAX_PER_ACCOUNT;
            if usize::try_from(rules).is_ok_and(|rules| rules >= most) {
                return Err(StorageError::TooMany { what: "alert rules", most });
            }
            let row = AlertRuleRow::new(account_id, id, &definition, start_sequence, now);
            diesel::insert_into(alert_rule::table).values(&row).execute(connection)?;
            set_channels(connection, account_id, &row.id, &definition.channels)?;
            let object = format!("alert_rule:{id}");
            record_audit(connection, &AuditRow::new(&scope, "alert_rule.create", object, now))?;
            load(connection, account_id, Some(id))?.pop().ok_or(StorageError::Missing { what: "alert rule" })
        })
        .await
    }

    async fn alert_rule_list(&self, scope: &Scope<ReadAlerts>) -> Result<Vec<AlertRule>> {
        let account_id = scope.account_id();
        self.read(move |connection| load(connection, account_id, None)).await
    }

    async fn alert_rule_find(&self, scope: &Scope<ReadAlerts>, id: AlertRuleId) -> Result<Option<AlertRule>> {
        let account_id = scope.account_id();
        self.read(move |connection| Ok(load(connection, account_id, Some(id))?.pop())).await
    }

    async fn alert_rule_update(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertRuleId,
        definition: &AlertRuleDefinition,
        now: Timestamp,
    ) -> Result<Option<AlertRule>> {
        let (scope, definition) = (scope.clone(), definition.clone());
        let account_id = scope.account_id();
        self.write(move |connection| {
            let Some(old) = find(connection, account_id, id)? else { return Ok(None) };
            redefine(connection, account_id, &old, &definition, now)?;
            let object = format!("alert_rule:{id}");
            record_audit(connection, &AuditRow::new(&scope, "alert_rule.update", object, now))?;
            Ok(load(connection, account_id, Some(id))?.pop())
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
        let scope = scope.clone();
        let account_id = scope.account_id();
        self.write(move |connection| {
            let Some(rule) = load(connection, account_id, Some(id))?.pop() else { return Ok(None) };
            let Some(old) = find(connection, account_id, id)?.filter(|old| old.enabled != enabled) else {
                return Ok(Some(rule));
            };
            redefine(connection, account_id, &old, &AlertRuleDefinition { enabled, ..rule.definition }, now)?;
            let action = if enabled { "alert_rule.enable" } else { "alert_rule.disable" };
            record_audit(connection, &AuditRow::new(&scope, action, format!("alert_rule:{id}"), now))?;
            Ok(load(connection, account_id, Some(id))?.pop())
        })
        .await
    }

    async fn alert_rule_delete(&self, scope: &Scope<ManageAccount>, id: AlertRuleId, now: Timestamp) -> Result<bool> {
        let scope = scope.clone();
        let account_id = scope.account_id();
        self.write(move |connection| {
            let Some(rule) = find(connection, account_id, id)? else { return Ok(false) };
            begin_anew(connection, account_id, &rule.id, now)?;
            forget_channels(connection, account_id, &rule.id)?;
            diesel::delete(alert_rule::table.find((account_id.0, &rule.id))).execute(connection)?;
            let object = format!("alert_rule:{id}");
            record_audit(connection, &AuditRow::new(&scope, "alert_rule.delete", object, now))?;
            Ok(true)
        })
        .await
    }
}
