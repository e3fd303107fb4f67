//! The traits that both back ends implement, resource by resource.

mod aggregates;
mod alerts;
mod arrivals;
mod audit;
mod buckets;
mod changes;
mod enrolment;
mod fleet;
mod keys;
mod latest;
mod leases;
mod maintenance;
mod people;
mod records;
mod retention;
mod setup;
mod without;

use astranetmon_auth::{AgentTokenLookup, KeyLookup, SessionLookup};
use astranetmon_ratelimit::QuotaWindows;

pub(crate) use self::aggregates::TimeAxis;
pub use self::aggregates::{
    Aggregate, AggregateColumn, AggregatePage, AggregatePosition, AggregateQuery, AggregateRow, GroupName, Grouping,
    InvalidAggregateQuery,
};
pub use self::alerts::{
    AlertBoard, AlertChange, AlertChannelRepository, AlertDestination, AlertEventChange, AlertEventPage,
    AlertEventPosition, AlertHistory, AlertInputs, AlertJob, AlertQuery, AlertRuleRepository, ChangedRoute,
    DeliveryOutcome, DueDelivery, MeasuredSpeed, NewAlertChannel, WatchedAgent, WatchedRule,
};
pub use self::arrivals::{ArrivalPosition, ArrivalRepository, Arrivals};
pub(crate) use self::audit::actor_text;
pub use self::audit::{AuditEntry, AuditPage, AuditPosition, AuditRepository};
pub use self::buckets::{BucketQuery, BucketValue, InvalidBucketQuery, MetricBucket};
pub use self::changes::ChangeRepository;
pub use self::enrolment::{
    AgentAdministration, AgentEdit, AgentHealth, AgentTokenRecord, EnrolRequest, Enrolled, EnrolmentRepository,
};
pub use self::fleet::{FleetRepository, FleetRow, RouteChange};
pub use self::keys::{ApiKeyRepository, UsageRepository};
pub use self::latest::LatestRepository;
pub use self::leases::{Lease, LeaseRepository};
pub use self::maintenance::Maintenance;
pub use self::people::{AccountRepository, NewUser, SessionRepository, UserRepository};
pub use self::records::{
    AgentPage, AgentRepository, Appended, MetricPage, MetricRepository, NewAgent, RecordPage, SpeedtestRepository,
    TracerouteRepository,
};
pub(crate) use self::retention::RetentionPlace;
pub use self::retention::{
    Expired, IngestRetention, RetentionCursor, RetentionJob, RetentionRepository, RetentionSetting, RetentionStep,
};
pub use self::setup::{FirstOwner, Setup, SetupRepository};
pub use self::without::{OnlyLists, WithoutAdministration, WithoutAlerts, WithoutJobs};
use crate::StorageError;

type Result<T> = std::result::Result<T, StorageError>;

/// Everything that the service stores. Whoever has all of these has this one too.
///
/// What is common to them: times are UTC, in microseconds where they come from a [`Clock`](astranetmon_domain::Clock) and
/// in milliseconds where they are of records; measured numbers are in the unit that stands in their field's name, and
/// `None` where they are unknown. Text comes cleaned and cut to length: what is written here is what is read. Every call
/// may fail with [`StorageError::Unavailable`] and [`StorageError::Internal`], every call that writes with
/// [`StorageError::Full`]; the methods name what else they refuse.
///
/// A storage of somebody else's need not have everything: [`WithoutAdministration`] says how.
pub trait Storage:
    AccountRepository
    + UserRepository
    + SetupRepository
    + SessionRepository
    + SessionLookup
    + ApiKeyRepository
    + KeyLookup
    + QuotaWindows
    + UsageRepository
    + ChangeRepository
    + AgentRepository
    + AgentAdministration
    + AgentTokenLookup
    + EnrolmentRepository
    + MetricRepository
    + SpeedtestRepository
    + TracerouteRepository
    + FleetRepository
    + LatestRepository
    + ArrivalRepository
    + AuditRepository
    + AlertRuleRepository
    + AlertChannelRepository
    + AlertHistory
    + AlertJob
    + RetentionRepository
    + RetentionJob
    + LeaseRepository
    + Maintenance
{
}

impl<T> Storage for T where
    T: AccountRepository
        + UserRepository
        + SetupRepository
        + SessionRepository
        + SessionLookup
        + ApiKeyRepository
        + KeyLookup
        + QuotaWindows
        + UsageRepository
        + ChangeRepository
        + AgentRepository
        + AgentAdministration
        + AgentTokenLookup
        + EnrolmentRepository
        + AgentAdministration
        + AgentTokenLookup
        + EnrolmentRepository
        + MetricRepository
        + SpeedtestRepository
        + TracerouteRepository
        + FleetRepository
        + LatestRepository
        + ArrivalRepository
        + AuditRepository
        + AlertRuleRepository
        + AlertChannelRepository
        + AlertHistory
        + AlertJob
        + RetentionRepository
        + RetentionJob
        + LeaseRepository
        + Maintenance
{
}
