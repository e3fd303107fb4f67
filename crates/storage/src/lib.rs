#![doc = include_str!("../README.md")]

mod agent_lists;
mod aggregates;
mod alert_queries;
mod arrivals;
#[cfg(test)]
mod bound_sql;
mod chunks;
pub mod copy;
mod counts;
mod data_versions;
mod enrolment;
mod error;
mod fetched;
mod figures;
mod kept_retentions;
mod matching;
mod measured;
mod metric_batch;
mod migrations;
mod newest;
mod ownership;
pub mod postgres;
mod queries;
mod random;
mod reporting;
mod repository;
mod retention;
mod rows;
mod schema;
mod shares;
mod span_rows;
pub mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::StorageError;
pub use repository::{
    AccountRepository, AgentAdministration, AgentEdit, AgentHealth, AgentPage, AgentRepository, AgentTokenRecord,
    Aggregate, AggregateColumn, AggregatePage, AggregatePosition, AggregateQuery, AggregateRow, AlertBoard,
    AlertChange, AlertChannelRepository, AlertDestination, AlertEventChange, AlertEventPage, AlertEventPosition,
    AlertHistory, AlertInputs, AlertJob, AlertQuery, AlertRuleRepository, ApiKeyRepository, Appended, ArrivalPosition,
    ArrivalRepository, Arrivals, AuditEntry, AuditPage, AuditPosition, AuditRepository, BucketQuery, BucketValue,
    ChangeRepository, ChangedRoute, DeliveryOutcome, DueDelivery, EnrolRequest, Enrolled, EnrolmentRepository, Expired,
    FirstOwner, FleetRepository, FleetRow, GroupName, Grouping, IngestRetention, InvalidAggregateQuery,
    InvalidBucketQuery, LatestRepository, Lease, LeaseRepository, Maintenance, MeasuredSpeed, MetricBucket, MetricPage,
    MetricRepository, NewAgent, NewAlertChannel, NewUser, OnlyLists, RecordPage, RetentionCursor, RetentionJob,
    RetentionRepository, RetentionSetting, RetentionStep, RouteChange, SessionRepository, Setup, SetupRepository,
    SpeedtestRepository, Storage, TracerouteRepository, UsageRepository, UserRepository, WatchedAgent, WatchedRule,
    WithoutAdministration, WithoutAlerts, WithoutJobs,
};
