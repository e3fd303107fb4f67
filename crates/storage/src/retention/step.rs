//! Which piece of the job comes next.

use std::ops::Range;

use astranetmon_domain::{AccountId, Retention, Timestamp};
use async_trait::async_trait;

use super::{HOUR, Limits};
use crate::StorageError;
use crate::chunks::DAY_MICROS;
use crate::counts::RecordKind;
use crate::repository::{Expired, Lease, RetentionCursor, RetentionPlace, RetentionStep};

type Result<T> = std::result::Result<T, StorageError>;

/// Days for which alerts, messages about them and the audit log are kept.
const HISTORY_DAYS: i64 = 400;
/// Days for which an enrolment token is kept behind its end.
const ENROLMENT_DAYS: i64 = 30;
/// Places that one step looks at without finding anything to do.
const MOST_LOOKS: u32 = 50;
/// Samples come late by so much without finding their hour sealed.
const LATENESS_SECONDS: i64 = 2 * HOUR;

/// Of what a piece takes the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Samples,
    /// By their start.
    Chunks,
    Hours,
    Days,
}

impl Source {
    /// How much one piece takes at most.
    pub(crate) const fn most(self) -> usize {
        match self {
            Self::Samples => 1_000,
            Self::Chunks => 2,
            Self::Hours | Self::Days => 500,
        }
    }
}

/// What one agent has from `first` to `last`, in microseconds, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) agent_id: String,
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// A day of which an agent has samples that are rows.
#[derive(Debug)]
pub(crate) struct UnsealedDay {
    /// Its first moment, in microseconds.
    pub(crate) start: i64,
    /// What of it is to be sealed next.
    pub(crate) next_period: Option<Range<i64>>,
}

/// What is due, and behind which agent to look for more; `None` if there is no more.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) runs: Vec<Run>,
    pub(crate) after: Option<String>,
}

/// What accounts have beside measured data, in the order in which it goes: an event behind the messages about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum History {
    Deliveries = 1,
    Events = 2,
    Audit = 3,
    Enrolments = 4,
}

impl History {
    /// Of its number.
    pub(crate) fn of(number: i64) -> Option<Self> {
        [Self::Deliveries, Self::Events, Self::Audit, Self::Enrolments].into_iter().find(|what| *what as i64 == number)
    }
}

/// What ended before these moments goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistoryLimits {
    pub(crate) history: Timestamp,
    pub(crate) enrolments: Timestamp,
}

impl HistoryLimits {
    fn at(now: Timestamp) -> Self {
        let days_ago = |days: i64| now.plus_seconds(-days * super::DAY);
        Self { history: days_ago(HISTORY_DAYS), enrolments: days_ago(ENROLMENT_DAYS) }
    }
}

/// Speed tests and traceroutes that one piece takes at most.
pub(crate) const MOST_RECORDS: i64 = 250;
/// Rows of history that one piece takes at most.
pub(crate) const MOST_HISTORY: i64 = 500;
/// Agents that one look for what is due looks at.
pub(crate) const MOST_AGENTS: usize = 100;

/// What a back end does of the job. Each method that takes the lease is one transaction, and refuses a lease that is
/// lost; each answers how much went.
#[async_trait]
pub(crate) trait RetentionStore: Send + Sync {
    async fn account_after(&self, after: i64) -> Result<Option<AccountId>>;

    /// What the account keeps; `None` if it is gone.
    async fn kept_by(&self, account: AccountId) -> Result<Option<Retention>>;

    /// The start of the first hour in which the account has rows of that kind.
    async fn oldest_counted(&self, account: AccountId, kind: RecordKind) -> Result<Option<i64>>;

    /// The oldest of `source` before `before`, at most [`Source::most`], of agents behind `after`, or of that agent.
    async fn due(&self, account: AccountId, source: Source, agents: Agents<'_>, before: i64) -> Result<Due>;

    /// Samples go into their hours' summaries, and none before `folded_before` will be taken again; or nowhere, if their
    /// agent is still to be removed by then.
    async fn take_samples(&self, lease: &Lease, account: AccountId, runs: Vec<Run>, goes: Goes) -> Result<u64>;

    /// Hourly summaries go into those of their days.
    async fn fold_hours(&self, lease: &Lease, account: AccountId, runs: Vec<Run>) -> Result<u64>;

    /// Summaries go.
    async fn delete_summaries(&self, lease: &Lease, account: AccountId, source: Source, runs: Vec<Run>) -> Result<u64>;

    /// The oldest speed tests or traceroutes before `before` go, at most [`MOST_RECORDS`], of all agents or of one that
    /// is still to be removed by then.
    async fn delete_records(
        &self,
        lease: &Lease,
        account: AccountId,
        kind: RecordKind,
        agent: Option<&str>,
        before: i64,
    ) -> Result<u64>;

    /// Of what anything is to go.
    async fn history_due(&self, account: AccountId, limits: HistoryLimits) -> Result<Option<History>>;

    /// Of that goes what is old enough, at most [`MOST_HISTORY`].
    async fn delete_history(
        &self,
        lease: &Lease,
        account: AccountId,
        what: History,
        limits: HistoryLimits,
    ) -> Result<u64>;

    /// Takes what goes out of the chunks that start within the runs, and out of the counts; how many samples.
    async fn take_chunks(&self, lease: &Lease, account: AccountId, runs: Vec<Run>, goes: Goes) -> Result<u64>;

    /// The next agent of the account that may have samples.
    async fn agent_with_samples(&self, account: AccountId, after: &str) -> Result<Option<String>>;

    /// The first day from `from` on of which the agent has samples that are rows and finished: before that moment, and
    /// before its newest, so that this one is always a row.
    async fn unsealed_day(
        &self,
        account: AccountId,
        agent: &str,
        from: i64,
        finished_before: i64,
    ) -> Result<Option<UnsealedDay>>;

    /// Makes one chunk of the agent's rows of a span of time; how many samples.
    async fn seal(&self, lease: &Lease, account: AccountId, agent: &str, period: Range<i64>) -> Result<u64>;

    /// An agent of the account whose data is to go.
    async fn agent_to_remove(&self, account: AccountId) -> Result<Option<String>>;

    /// Nothing of the agent is left.
    async fn agent_removed(&self, lease: &Lease, account: AccountId, agent_id: &str) -> Result<()>;

    /// Gives disk back, a bounded piece; whether there is more to give, and how many bytes or partitions went.
    async fn give_space_back(&self, lease: &Lease, now: Timestamp) -> Result<SpaceBack>;
}

/// Of which agents.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Agents<'a> {
    Behind(&'a str),
    Only(&'a str),
}

/// What becomes of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goes {
    /// Into summaries; samples before this moment, in microseconds, will not be taken again.
    Folded { before: i64 },
    /// Nowhere.
    Away,
}

/// Disk that was given back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SpaceBack {
    pub(crate) bytes: u64,
    pub(crate) partitions: u64,
    pub(crate) more: bool,
}

/// Does the next piece that is due, or looks at a number of places where nothing is.
pub(crate) async fn step(
    store: &impl RetentionStore,
    lease: &Lease,
    cursor: &RetentionCursor,
    now: Timestamp,
) -> Result<RetentionStep> {
    let mut step = RetentionStep::at(cursor);
    for _ in 0..MOST_LOOKS {
        let Some(place) = step.next.take() else { break };
        let place = place.0;
        step.next = visit(store, lease, place, now, &mut step).await?.map(RetentionCursor);
        if !step.gone.is_empty() {
            break;
        }
    }
    Ok(step)
}

async fn visit(
    store: &impl RetentionStore,
    lease: &Lease,
    place: RetentionPlace,
    now: Timestamp,
    step: &mut RetentionStep,
) -> Result<Option<RetentionPlace>> {
    use RetentionPlace::{
        Account, Chunks, Days, History as Past, Hours, OnlyRemovals, Records, Removals, Samples, Sealing, Space,
    };
    let gone = &mut step.gone;
    Ok(Some(match place {
        Account { after } => match store.account_after(after).await? {
            Some(account) => Removals { account },
            None => Space,
        },
        Removals { account } => match store.agent_to_remove(account).await? {
            Some(agent) => {
                remove(store, lease, account, &agent, step).await?;
                Removals { account }
            }
            None => Sealing { account, agent: String::new(), from: i64::MIN },
        },
        OnlyRemovals { account } => {
            let Some(agent) = store.agent_to_remove(account).await? else { return Ok(None) };
            remove(store, lease, account, &agent, step).await?;
            OnlyRemovals { account }
        }
        Sealing { account, agent, from } => {
            let finished = now.plus_seconds(-LATENESS_SECONDS).as_micros();
            match seal(store, lease, account, (&agent, from), finished, gone).await? {
                Some((agent, from)) => Sealing { account, agent, from },
                None => Chunks { account, after: String::new() },
            }
        }
        Chunks { account, after } => {
            let behind = Samples { account, after: String::new() };
            let Some(limits) = limits(store, account, now).await? else { return Ok(Some(next_account(account))) };
            let oldest = store.oldest_counted(account, RecordKind::Metric).await?;
            if oldest.is_none_or(|oldest| oldest >= limits.samples) {
                return Ok(Some(behind));
            }
            let due = store.due(account, Source::Chunks, Agents::Behind(&after), limits.samples).await?;
            if !due.runs.is_empty() {
                let folded = Goes::Folded { before: limits.samples };
                gone.samples_folded += store.take_chunks(lease, account, due.runs, folded).await?;
            }
            due.after.map_or(behind, |after| Chunks { account, after })
        }
        Samples { account, after } => {
            let behind = Hours { account, after: String::new() };
            let Some(limits) = limits(store, account, now).await? else { return Ok(Some(next_account(account))) };
            let oldest = store.oldest_counted(account, RecordKind::Metric).await?;
            if oldest.is_none_or(|oldest| oldest >= limits.samples) {
                return Ok(Some(behind));
            }
            let due = store.due(account, Source::Samples, Agents::Behind(&after), limits.samples).await?;
            if !due.runs.is_empty() {
                let folded = Goes::Folded { before: limits.samples };
                gone.samples_folded += store.take_samples(lease, account, due.runs, folded).await?;
            }
            due.after.map_or(behind, |after| Samples { account, after })
        }
        Hours { account, after } => {
            let Some(limits) = limits(store, account, now).await? else { return Ok(Some(next_account(account))) };
            let due = store.due(account, Source::Hours, Agents::Behind(&after), limits.hours).await?;
            if !due.runs.is_empty() {
                gone.hours_folded += store.fold_hours(lease, account, due.runs).await?;
            }
            due.after.map_or(Days { account, after: String::new() }, |after| Hours { account, after })
        }
        Days { account, after } => {
            let Some(limits) = limits(store, account, now).await? else { return Ok(Some(next_account(account))) };
            let due = store.due(account, Source::Days, Agents::Behind(&after), limits.days).await?;
            if !due.runs.is_empty() {
                gone.days += store.delete_summaries(lease, account, Source::Days, due.runs).await?;
            }
            due.after.map_or(Records { account }, |after| Days { account, after })
        }
        Records { account } => {
            let Some(limits) = limits(store, account, now).await? else { return Ok(Some(next_account(account))) };
            for kind in [RecordKind::Speedtest, RecordKind::Traceroute] {
                let before = limits.rows(kind);
                if store.oldest_counted(account, kind).await?.is_some_and(|oldest| oldest < before) {
                    let went = store.delete_records(lease, account, kind, None, before).await?;
                    gone.add_records(kind, went);
                    if went > 0 {
                        return Ok(Some(Records { account }));
                    }
                }
            }
            Past { account }
        }
        Past { account } => {
            let limits = HistoryLimits::at(now);
            let Some(what) = store.history_due(account, limits).await? else { return Ok(Some(next_account(account))) };
            let went = store.delete_history(lease, account, what, limits).await?;
            gone.add_history(what, went);
            if went > 0 { Past { account } } else { next_account(account) }
        }
        Space => {
            let back = store.give_space_back(lease, now).await?;
            gone.bytes_given_back += back.bytes;
            gone.partitions += back.partitions;
            if !back.more {
                return Ok(None);
            }
            Space
        }
    }))
}

const fn next_account(account: AccountId) -> RetentionPlace {
    RetentionPlace::Account { after: account.0 }
}

async fn limits(store: &impl RetentionStore, account: AccountId, now: Timestamp) -> Result<Option<Limits>> {
    Ok(store.kept_by(account).await?.map(|kept| Limits::of(kept, now)))
}

/// Seals the next span of an account's samples that is finished at that moment, of that agent from that day on or of the
/// next one; where to go on, unless that was the last agent.
pub(crate) async fn seal(
    store: &impl RetentionStore,
    lease: &Lease,
    account: AccountId,
    (agent, from): (&str, i64),
    finished_before: i64,
    gone: &mut Expired,
) -> Result<Option<(String, i64)>> {
    if let Some(day) = store.unsealed_day(account, agent, from, finished_before).await? {
        let Some(period) = day.next_period else { return Ok(Some((agent.to_owned(), day.start + DAY_MICROS))) };
        gone.samples_sealed += store.seal(lease, account, agent, period).await?;
        return Ok(Some((agent.to_owned(), day.start)));
    }
    let next = store.agent_with_samples(account, agent).await?;
    Ok(next.map(|agent| (agent, i64::MIN)))
}

/// Takes a piece of what a deleted agent left, or the note of it if nothing is left.
async fn remove(
    store: &impl RetentionStore,
    lease: &Lease,
    account: AccountId,
    agent: &str,
    step: &mut RetentionStep,
) -> Result<()> {
    let gone = &mut step.gone;
    let due = store.due(account, Source::Samples, Agents::Only(agent), i64::MAX).await?;
    if !due.runs.is_empty() {
        gone.samples_removed += store.take_samples(lease, account, due.runs, Goes::Away).await?;
        return Ok(());
    }
    let due = store.due(account, Source::Chunks, Agents::Only(agent), i64::MAX).await?;
    if !due.runs.is_empty() {
        gone.samples_removed += store.take_chunks(lease, account, due.runs, Goes::Away).await?;
        return Ok(());
    }
    for source in [Source::Hours, Source::Days] {
        let due = store.due(account, source, Agents::Only(agent), i64::MAX).await?;
        if !due.runs.is_empty() {
            gone.summaries_removed += store.delete_summaries(lease, account, source, due.runs).await?;
            return Ok(());
        }
    }
    for kind in [RecordKind::Speedtest, RecordKind::Traceroute] {
        let went = store.delete_records(lease, account, kind, Some(agent), i64::MAX).await?;
        gone.add_records(kind, went);
        if went > 0 {
            return Ok(());
        }
    }
    store.agent_removed(lease, account, agent).await?;
    gone.agents += 1;
    Ok(())
}
