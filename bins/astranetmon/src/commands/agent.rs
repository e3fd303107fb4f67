use std::collections::{BTreeMap, HashMap};

use astranetmon_auth::{ManageAccount, ReadAgents, Scope};
use astranetmon_domain::{AccountName, Agent, AgentId, Timestamp, check_labels, clean_text};
use astranetmon_storage::{AgentEdit, AgentHealth};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::removal::remove_what_deleted_agents_left;
use super::{DatabaseArguments, Office, REASON};
use crate::configuration::Environment;
use crate::output::table;
use crate::{Failure, OutputFormat};

#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// List an account's agents and how they are, by hostname
    List {
        #[command(flatten)]
        common: AgentArguments,
    },
    /// Give an agent another name; without one it is called as its host is
    Rename {
        /// The agent's id, as listed
        #[arg(value_parser = AgentId::parse)]
        id: AgentId,
        /// 1 to 100 characters
        name: Option<String>,
        #[command(flatten)]
        common: AgentArguments,
    },
    /// Set and remove labels of an agent; others stay
    Label {
        /// The agent's id, as listed
        #[arg(value_parser = AgentId::parse)]
        id: AgentId,
        /// NAME=VALUE sets a label, NAME- removes it
        #[arg(required = true, value_name = "LABEL")]
        labels: Vec<LabelChange>,
        #[command(flatten)]
        common: AgentArguments,
    },
    /// Take nothing more from an agent, at once; what it measured stays
    Disable {
        /// The agent's id, as listed
        #[arg(value_parser = AgentId::parse)]
        id: AgentId,
        #[command(flatten)]
        common: AgentArguments,
    },
    /// Take from a disabled agent what it sends, again
    Enable {
        /// The agent's id, as listed
        #[arg(value_parser = AgentId::parse)]
        id: AgentId,
        #[command(flatten)]
        common: AgentArguments,
    },
    /// Delete an agent with everything that it measured, for good; returns when all of it is gone
    Delete {
        /// The agent's id, as listed
        #[arg(value_parser = AgentId::parse)]
        id: AgentId,
        #[command(flatten)]
        common: AgentArguments,
    },
}

#[derive(Debug, Args)]
pub(super) struct AgentArguments {
    /// Name of the account that owns the agent
    #[arg(long, value_name = "NAME")]
    account: AccountName,
    #[command(flatten)]
    database: DatabaseArguments,
    /// How to print the result
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

/// A label to set, or to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LabelChange {
    name: String,
    value: Option<String>,
}

impl std::str::FromStr for LabelChange {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = match (text.split_once('='), text.strip_suffix('-')) {
            (Some((name, value)), _) => (name, Some(value.to_owned())),
            (None, Some(name)) => (name, None),
            (None, None) => return Err("a label is NAME=VALUE to set it or NAME- to remove it, such as site=ber"),
        };
        Ok(Self { name: name.to_owned(), value })
    }
}

impl AgentCommand {
    pub(super) async fn execute(self, environment: Environment) -> Result<(), Failure> {
        let (Self::List { common }
        | Self::Rename { common, .. }
        | Self::Label { common, .. }
        | Self::Disable { common, .. }
        | Self::Enable { common, .. }
        | Self::Delete { common, .. }) = &self;
        let office = Office::open(&common.database, environment).await?;
        let result = self.act(&office).await;
        office.finish(result).await
    }

    async fn act(self, office: &Office) -> Result<String, Failure> {
        let now = office.now();
        match self {
            Self::List { common } => list(office, &common, now).await,
            Self::Rename { id, name, common } => {
                if name.as_deref().is_some_and(|name| name.trim() != name || clean_text(name, 100) != name) {
                    return Err(Failure::usage(
                        "an agent's name is 1 to 100 characters, without control characters or surrounding space",
                    ));
                }
                let name = name.filter(|name| !name.is_empty());
                let edit = AgentEdit { name: Some(name), labels: None };
                changed(office, &id, &edit, &common, now).await
            }
            Self::Label { id, labels, common } => {
                let account = office.account(&common.account).await?.id;
                let agent = office.storage.agent_find(&Scope::system(account, REASON), &id).await?;
                let mut kept = agent.ok_or_else(|| missing(&id, &common))?.labels;
                apply(labels, &mut kept)?;
                let edit = AgentEdit { name: None, labels: Some(kept) };
                changed(office, &id, &edit, &common, now).await
            }
            Self::Disable { id, common } => set_disabled(office, &id, true, &common, now).await,
            Self::Enable { id, common } => set_disabled(office, &id, false, &common, now).await,
            Self::Delete { id, common } => {
                let scope: Scope<ManageAccount> = scope(office, &common).await?;
                if !office.storage.agent_delete(&scope, &id, now).await? {
                    return Err(missing(&id, &common));
                }
                remove_what_deleted_agents_left(office, scope.account_id()).await.map_err(|error| {
                    let what = format!("{id} is deleted; the service removes the rest of what it measured");
                    Failure::caused(&what, &error)
                })?;
                Ok(match common.format {
                    OutputFormat::Text => format!("deleted {id} and everything that it measured\n"),
                    OutputFormat::Json => format!("{}\n", json!({ "id": id.as_str(), "deleted": true })),
                })
            }
        }
    }
}

async fn scope<A: astranetmon_auth::Access>(office: &Office, common: &AgentArguments) -> Result<Scope<A>, Failure> {
    Ok(Scope::system(office.account(&common.account).await?.id, REASON))
}

fn missing(id: &AgentId, common: &AgentArguments) -> Failure {
    Failure::failed(format!("the account {} has no agent {id}", common.account))
}

fn apply(changes: Vec<LabelChange>, labels: &mut BTreeMap<String, String>) -> Result<(), Failure> {
    for LabelChange { name, value } in changes {
        match value {
            Some(value) => labels.insert(name, value),
            None => labels.remove(&name),
        };
    }
    check_labels(labels).map_err(|invalid| Failure::usage(invalid.to_string()))
}

async fn changed(
    office: &Office,
    id: &AgentId,
    edit: &AgentEdit,
    common: &AgentArguments,
    now: Timestamp,
) -> Result<String, Failure> {
    let is_there = office.storage.agent_edit(&scope(office, common).await?, id, edit, now).await?;
    one(office, is_there, id, common, now).await
}

async fn set_disabled(
    office: &Office,
    id: &AgentId,
    disabled: bool,
    common: &AgentArguments,
    now: Timestamp,
) -> Result<String, Failure> {
    let is_there = office.storage.agent_set_disabled(&scope(office, common).await?, id, disabled, now).await?;
    one(office, is_there, id, common, now).await
}

/// The agent as it is now.
async fn one(
    office: &Office,
    is_there: bool,
    id: &AgentId,
    common: &AgentArguments,
    now: Timestamp,
) -> Result<String, Failure> {
    let agents: Scope<ReadAgents> = scope(office, common).await?;
    let agent = if is_there { office.storage.agent_find(&agents, id).await? } else { None };
    let agent = agent.ok_or_else(|| missing(id, common))?;
    let health = office.storage.agent_health(&scope(office, common).await?).await?;
    let health = health.iter().find(|health| health.agent_id == *id);
    Ok(match common.format {
        OutputFormat::Text => lines(&[(&agent, health)], now),
        OutputFormat::Json => format!("{}\n", in_json(&agent, health, now)),
    })
}

async fn list(office: &Office, common: &AgentArguments, now: Timestamp) -> Result<String, Failure> {
    let agents: Scope<ReadAgents> = scope(office, common).await?;
    let agents = office.storage.agent_page(&agents, None, None).await?.agents;
    let health = office.storage.agent_health(&scope(office, common).await?).await?;
    let health: HashMap<_, _> = health.iter().map(|health| (&health.agent_id, health)).collect();
    let rows: Vec<_> = agents.iter().map(|agent| (agent, health.get(&agent.id).copied())).collect();
    Ok(match common.format {
        OutputFormat::Text => lines(&rows, now),
        OutputFormat::Json => {
            let agents: Vec<_> = rows.iter().map(|(agent, health)| in_json(agent, *health, now)).collect();
            format!("{}\n", json!({ "agents": agents }))
        }
    })
}

fn lines(rows: &[(&Agent, Option<&AgentHealth>)], now: Timestamp) -> String {
    let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    let row = |(agent, health): &(&Agent, Option<&AgentHealth>)| {
        let report = health.and_then(|health| health.report.as_ref());
        let labels: Vec<_> = agent.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        [
            agent.id.to_string(),
            or_dash(agent.name.clone()),
            agent.status(now).as_str().to_owned(),
            or_dash(agent.facts.agent_version.clone()),
            or_dash(agent.last_seen_at.map(|at| at.to_string())),
            or_dash(report.and_then(|report| report.spool_row_count).map(|rows| rows.to_string())),
            or_dash(report.and_then(|report| report.dropped_row_count).map(|rows| rows.to_string())),
            or_dash(Some(labels.join(","))),
        ]
    };
    let heading = ["ID", "NAME", "STATUS", "VERSION", "LAST SEEN", "WAITING", "DROPPED", "LABELS"];
    table(heading, &rows.iter().map(row).collect::<Vec<_>>())
}

fn in_json(agent: &Agent, health: Option<&AgentHealth>, now: Timestamp) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let report = health.and_then(|health| health.report.as_ref());
    let token = health.and_then(|health| health.token.as_ref());
    json!({
        "id": agent.id.as_str(),
        "hostname": agent.facts.hostname,
        "name": agent.name,
        "status": agent.status(now).as_str(),
        "agent_version": agent.facts.agent_version,
        "last_seen_at": time(agent.last_seen_at),
        "created_at": agent.created_at.to_string(),
        "disabled_at": time(agent.disabled_at),
        "labels": agent.labels,
        "heartbeat_at": report.map(|report| report.heartbeat_at.to_string()),
        "spool_row_count": report.and_then(|report| report.spool_row_count),
        "dropped_row_count": report.and_then(|report| report.dropped_row_count),
        "cost_cpu_percent": report.and_then(|report| report.cost_cpu_percent),
        "cost_memory_bytes": report.and_then(|report| report.cost_memory_bytes),
        "clock_offset_ms": report.and_then(|report| report.clock_offset_ms),
        "token_hint": token.map(|token| token.hint.as_str()),
        "token_last_used_at": time(token.and_then(|token| token.last_used_at)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_set_and_removed_and_others_stay() {
        let change = |text: &str| text.parse::<LabelChange>();
        let mut labels = BTreeMap::from([("site".to_owned(), "ber".to_owned()), ("rack".to_owned(), "7".to_owned())]);
        let changes = ["rack-", "room=a=b", "empty="].map(|text| change(text).expect("a change"));
        apply(changes.into(), &mut labels).expect("applied");
        let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(pairs, ["empty=", "room=a=b", "site=ber"]);
        assert!(change("site").is_err());
        assert!(apply(vec![change("a b=1").expect("read")], &mut labels).is_err());
    }
}
