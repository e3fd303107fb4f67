//! One evaluation of every account.

use std::collections::HashMap;

use astranetmon_auth::Operator;
use astranetmon_domain::{AccountId, AgentId, AlertEventId, MetricSample, Timestamp};
use astranetmon_storage::{AlertInputs, AlertQuery, Lease, Storage, StorageError, WatchedRule};
use futures_util::StreamExt;
use futures_util::stream;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::evaluation::{AccountMemory, Moment};

pub(crate) const OPERATOR: Operator = Operator::new("alerts");

/// Accounts that are evaluated at a time.
const ACCOUNTS_AT_ONCE: usize = 4;

/// What a process that evaluates remembers from pass to pass.
#[derive(Debug, Default)]
pub(crate) struct Memory(HashMap<AccountId, AccountMemory>);

/// An id that no other event has: a UUIDv7.
fn event_id(now: Timestamp, rng: &mut StdRng) -> AlertEventId {
    let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
    let mut random = [0; 10];
    rng.fill_bytes(&mut random);
    AlertEventId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

impl Memory {
    /// Evaluates every enabled rule; whether there is anything to deliver. Accounts that fail are left for the next
    /// pass.
    ///
    /// # Errors
    /// [`StorageError::LeaseLost`], and those of the storage if it cannot tell the rules.
    pub(crate) async fn pass(
        &mut self,
        storage: &dyn Storage,
        lease: &Lease,
        moment: Moment,
        rng: &mut StdRng,
    ) -> Result<bool, StorageError> {
        let mut by_account: Vec<(AccountId, Vec<WatchedRule>)> = Vec::new();
        for watched in storage.alert_watched_rules(&OPERATOR).await? {
            match by_account.last_mut() {
                Some((account_id, rules)) if *account_id == watched.account_id => rules.push(watched),
                _ => by_account.push((watched.account_id, vec![watched])),
            }
        }
        let mut memories = std::mem::take(&mut self.0);
        let accounts: Vec<_> = by_account
            .into_iter()
            .map(|(account_id, rules)| {
                let memory = memories.remove(&account_id).unwrap_or_default();
                (account_id, rules, memory, StdRng::from_rng(rng))
            })
            .collect();
        let mut evaluated = stream::iter(accounts)
            .map(async |(account_id, rules, mut memory, mut rng)| {
                let outcome = evaluate(storage, lease, account_id, &rules, &mut memory, moment, &mut rng).await;
                (account_id, memory, outcome)
            })
            .buffer_unordered(ACCOUNTS_AT_ONCE);
        let (mut told, mut lost) = (false, None);
        while let Some((account_id, memory, outcome)) = evaluated.next().await {
            self.0.insert(account_id, memory);
            match outcome {
                Ok(events) => told |= events,
                Err(error @ StorageError::LeaseLost { .. }) => lost = Some(error),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(account = account_id.0, error, "an account's alerts cannot be evaluated");
                }
            }
        }
        lost.map_or(Ok(told), Err)
    }
}

/// Evaluates one account; whether there are new events.
async fn evaluate(
    storage: &dyn Storage,
    lease: &Lease,
    account_id: AccountId,
    rules: &[WatchedRule],
    memory: &mut AccountMemory,
    moment: Moment,
    rng: &mut StdRng,
) -> Result<bool, StorageError> {
    let board = storage.alert_board(&OPERATOR, account_id).await?;
    let mut query = memory.query(rules, &board, moment.now);
    let mut inputs = AlertInputs::default();
    if !query.samples_after.is_empty() || query.records_after.is_some() {
        inputs = storage.alert_inputs(&OPERATOR, account_id, &query).await?;
        let mut part = std::mem::take(&mut inputs.samples);
        let mut more = inputs.more_samples;
        memory.take(rules, &board.agents, &part);
        while more {
            query = rest(&query, &part);
            let next = storage.alert_inputs(&OPERATOR, account_id, &query).await?;
            (part, more) = (next.samples, next.more_samples);
            memory.take(rules, &board.agents, &part);
        }
    }
    let changes = memory.evaluate(rules, &board, &inputs, moment, || event_id(moment.now, rng));
    let records_up_to = query.records_after.map(|_| inputs.records_up_to);
    let records_up_to = records_up_to.filter(|&up_to| up_to > board.records_up_to);
    let told = changes.iter().any(|change| !change.events.is_empty());
    if !changes.is_empty() || records_up_to.is_some() {
        storage.alert_apply(lease, account_id, &changes, records_up_to, moment.now).await?;
    }
    Ok(told)
}

/// What remains to be asked for after a part of the samples.
fn rest(query: &AlertQuery, part: &[MetricSample]) -> AlertQuery {
    let last: Option<(&AgentId, Timestamp)> = part.last().map(|sample| (&sample.agent_id, sample.timestamp));
    let mut samples_after = query.samples_after.clone();
    if let Some((agent_id, timestamp)) = last {
        let position = samples_after.iter().position(|(asked, _)| asked == agent_id).unwrap_or(0);
        samples_after.drain(..position);
        samples_after[0].1 = timestamp;
    }
    AlertQuery { samples_after, records_after: None, ..query.clone() }
}
