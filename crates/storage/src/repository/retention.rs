//! How long measured data is kept.

use astranetmon_auth::{Ingest, ManageAccount, ReadAccount, Scope};
use astranetmon_domain::{AccountId, Retention, Timestamp};
use async_trait::async_trait;

use super::{Lease, Result};
use crate::counts::RecordKind;
use crate::retention::History;

/// What bounds an account's retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionSetting {
    /// The most that its plan keeps.
    pub plan: Retention,
    /// What the account chose; it may be more than the plan keeps, if the plan has become a smaller one since.
    pub chosen: Option<Retention>,
}

impl RetentionSetting {
    /// What is kept.
    #[must_use]
    pub fn effective(&self) -> Retention {
        self.chosen.map_or(self.plan, |chosen| chosen.shorter(self.plan))
    }
}

/// Which measured rows an account still takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngestRetention {
    /// What is kept.
    pub retention: Retention,
    /// Samples before it may have gone into summaries, where nobody can see whether they are counted already.
    pub folded_before: Timestamp,
}

impl IngestRetention {
    /// Metrics before this moment are too old to be taken.
    #[must_use]
    pub fn oldest_metric(&self, now: Timestamp) -> Timestamp {
        self.retention.raw_start(now).max(self.folded_before)
    }

    /// Speed tests and traceroutes before this moment are too old to be taken.
    #[must_use]
    pub const fn oldest_record(&self, now: Timestamp) -> Timestamp {
        self.retention.hourly_start(now)
    }
}

/// How long an account's measured data is kept: as long as its plan does, or shorter by its own choice.
#[async_trait]
pub trait RetentionRepository: Send + Sync {
    /// What bounds it.
    ///
    /// # Errors
    /// [`StorageError::Missing`](crate::StorageError::Missing) without such an account.
    async fn retention_of(&self, scope: &Scope<ReadAccount>) -> Result<RetentionSetting>;

    /// Chooses; `None` keeps as much as the plan does. What has gone does not come back. Audited.
    ///
    /// # Errors
    /// [`StorageError::BeyondPlan`](crate::StorageError::BeyondPlan) if a step is longer than the plan keeps;
    /// [`StorageError::Missing`](crate::StorageError::Missing) without such an account.
    async fn retention_set(
        &self,
        scope: &Scope<ManageAccount>,
        choice: Option<Retention>,
        now: Timestamp,
    ) -> Result<()>;

    /// Which rows are still taken, as of a moment ago: fit to be asked for each batch.
    ///
    /// # Errors
    /// [`StorageError::Missing`](crate::StorageError::Missing) without such an account.
    async fn retention_for_ingest(&self, scope: &Scope<Ingest>) -> Result<IngestRetention>;
}

/// Where the job of retention goes on; its default is the beginning of a run through all accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionCursor(pub(crate) RetentionPlace);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RetentionPlace {
    /// The account behind that one.
    Account {
        after: i64,
    },
    /// The data of deleted agents.
    Removals {
        account: AccountId,
    },
    /// The same, and nothing behind it.
    OnlyRemovals {
        account: AccountId,
    },
    /// Finished samples that are rows: of that agent from that day on, or of those behind it.
    Sealing {
        account: AccountId,
        agent: String,
        from: i64,
    },
    /// Samples in chunks of the agents behind that one.
    Chunks {
        account: AccountId,
        after: String,
    },
    /// Samples that are rows of the agents behind that one.
    Samples {
        account: AccountId,
        after: String,
    },
    Hours {
        account: AccountId,
        after: String,
    },
    Days {
        account: AccountId,
        after: String,
    },
    /// Speed tests and traceroutes.
    Records {
        account: AccountId,
    },
    History {
        account: AccountId,
    },
    /// The database's disk.
    Space,
}

impl RetentionCursor {
    /// The beginning of a run that ends when nothing is left of the account's deleted agents, and does nothing else. It
    /// may be made beside the job, under a lease of its own.
    #[must_use]
    pub const fn removals(account: AccountId) -> Self {
        Self(RetentionPlace::OnlyRemovals { account })
    }
}

impl Default for RetentionCursor {
    fn default() -> Self {
        Self(RetentionPlace::Account { after: i64::MIN })
    }
}

/// What was sealed, went, or was made smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Samples that went from rows into a chunk.
    pub samples_sealed: u64,
    /// Samples that went into summaries of their hours.
    pub samples_folded: u64,
    /// Hourly summaries that went into those of their days.
    pub hours_folded: u64,
    /// Daily summaries.
    pub days: u64,
    /// Speed tests.
    pub speedtests: u64,
    /// Traceroutes.
    pub traceroutes: u64,
    /// Samples of deleted agents.
    pub samples_removed: u64,
    /// Summaries of deleted agents.
    pub summaries_removed: u64,
    /// Deleted agents of which nothing is left.
    pub agents: u64,
    /// Messages about alerts.
    pub alert_deliveries: u64,
    /// Alerts that have ended.
    pub alert_events: u64,
    /// Lines of audit logs.
    pub audit_entries: u64,
    /// Enrolment tokens.
    pub enrolments: u64,
    /// Disk given back, where the database's size is that of a file.
    pub bytes_given_back: u64,
    /// Partitions that were dropped.
    pub partitions: u64,
}

impl Expired {
    /// Every count with its name.
    #[must_use]
    pub const fn counts(&self) -> [(&'static str, u64); 15] {
        [
            ("samples_sealed", self.samples_sealed),
            ("samples_folded", self.samples_folded),
            ("hours_folded", self.hours_folded),
            ("days", self.days),
            ("speedtests", self.speedtests),
            ("traceroutes", self.traceroutes),
            ("samples_removed", self.samples_removed),
            ("summaries_removed", self.summaries_removed),
            ("agents", self.agents),
            ("alert_deliveries", self.alert_deliveries),
            ("alert_events", self.alert_events),
            ("audit_entries", self.audit_entries),
            ("enrolments", self.enrolments),
            ("bytes_given_back", self.bytes_given_back),
            ("partitions", self.partitions),
        ]
    }

    /// Whether nothing went.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) const fn add_records(&mut self, kind: RecordKind, count: u64) {
        match kind {
            RecordKind::Metric => self.samples_removed += count,
            RecordKind::Speedtest => self.speedtests += count,
            RecordKind::Traceroute => self.traceroutes += count,
        }
    }

    pub(crate) const fn add_history(&mut self, what: History, count: u64) {
        match what {
            History::Deliveries => self.alert_deliveries += count,
            History::Events => self.alert_events += count,
            History::Audit => self.audit_entries += count,
            History::Enrolments => self.enrolments += count,
        }
    }
}

impl std::ops::AddAssign for Expired {
    fn add_assign(&mut self, other: Self) {
        self.samples_sealed += other.samples_sealed;
        self.samples_folded += other.samples_folded;
        self.hours_folded += other.hours_folded;
        self.days += other.days;
        self.speedtests += other.speedtests;
        self.traceroutes += other.traceroutes;
        self.samples_removed += other.samples_removed;
        self.summaries_removed += other.summaries_removed;
        self.agents += other.agents;
        self.alert_deliveries += other.alert_deliveries;
        self.alert_events += other.alert_events;
        self.audit_entries += other.audit_entries;
        self.enrolments += other.enrolments;
        self.bytes_given_back += other.bytes_given_back;
        self.partitions += other.partitions;
    }
}

/// One piece of the job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionStep {
    /// What went; nothing if the step only looked.
    pub gone: Expired,
    /// Where to go on; `None` at the end of a run.
    pub next: Option<RetentionCursor>,
}

impl RetentionStep {
    pub(crate) fn at(cursor: &RetentionCursor) -> Self {
        Self { gone: Expired::default(), next: Some(cursor.clone()) }
    }
}

/// The job that seals finished samples and ends what is older than its account keeps, under a lease.
///
/// Finished samples are sealed in chunks; samples become summaries of their hours when these are wholly older, hours
/// become days, and days go; speed tests and traceroutes go; so does what deleted agents left, and what alerts, audit
/// logs and enrolment tokens tell of times long past. At the end of a run disk is given back.
#[async_trait]
pub trait RetentionJob: Send + Sync {
    /// Does a piece of at most some hundred rows in one transaction, or looks at some places where nothing is due.
    /// What it has done is whole whenever it is stopped, and a cursor may be used again: it only says where to look.
    ///
    /// # Errors
    /// [`StorageError::LeaseLost`](crate::StorageError::LeaseLost) if the lease has gone to another holder.
    async fn retention_step(&self, lease: &Lease, cursor: &RetentionCursor, now: Timestamp) -> Result<RetentionStep>;
}
