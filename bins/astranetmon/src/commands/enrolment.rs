use std::collections::BTreeMap;

use astranetmon_auth::{EnrolmentRecord, EnrolmentState, EnrolmentToken, ManageAccount, NewEnrolment, Scope};
use astranetmon_domain::{AccountName, AgentId, EnrolmentId, EnrolmentTerms, Timestamp};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{DatabaseArguments, Office, REASON};
use crate::configuration::{Environment, Span};
use crate::output::table;
use crate::randomness::seeded_by_system;
use crate::{Failure, OutputFormat};

/// What stands in the command line where the configuration does not say where agents reach the service.
const SOME_SERVER: &str = "https://YOUR-SERVER";

#[derive(Debug, Subcommand)]
pub(super) enum EnrolmentCommand {
    /// Make a token that enrols agents and print it, this once
    Create {
        /// For people; 1 to 100 characters
        #[arg(long)]
        name: String,
        /// Enrol this agent alone, again if it is there
        #[arg(long, value_name = "ID", value_parser = AgentId::parse, conflicts_with = "uses")]
        agent: Option<AgentId>,
        /// Label of the agents that come by it; repeatable
        #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
        labels: Vec<(String, String)>,
        /// How many agents it enrols, 1 to 1000
        #[arg(long, value_name = "NUMBER", default_value_t = 1)]
        uses: u32,
        /// When it ends by itself, from now, at most 30d
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        expires_in: Span,
        #[command(flatten)]
        common: EnrolmentArguments,
    },
    /// List an account's enrolment tokens, newest first
    List {
        #[command(flatten)]
        common: EnrolmentArguments,
    },
    /// End an enrolment token; agents that came by it stay
    Revoke {
        /// The token's id, as listed
        id: EnrolmentId,
        #[command(flatten)]
        common: EnrolmentArguments,
    },
}

#[derive(Debug, Args)]
pub(super) struct EnrolmentArguments {
    /// Name of the account that agents come to
    #[arg(long, value_name = "NAME")]
    account: AccountName,
    #[command(flatten)]
    database: DatabaseArguments,
    /// How to print the result
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

fn label(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("a label is NAME=VALUE, such as site=ber")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl EnrolmentCommand {
    pub(super) async fn execute(self, environment: Environment) -> Result<(), Failure> {
        let (Self::Create { common, .. } | Self::List { common } | Self::Revoke { common, .. }) = &self;
        let public_url = common.database.settings(environment.clone())?.public_url.map(|url| url.to_string());
        let office = Office::open(&common.database, environment).await?;
        let result = self.act(&office, public_url.as_deref()).await;
        office.finish(result).await
    }

    async fn act(self, office: &Office, public_url: Option<&str>) -> Result<String, Failure> {
        let now = office.now();
        match self {
            Self::Create { name, agent, labels, uses, expires_in: Span(span), common } => {
                let ends = now.plus_micros(i64::try_from(span.as_micros()).unwrap_or(i64::MAX));
                let terms = EnrolmentTerms::new(&name, agent, BTreeMap::from_iter(labels), uses, ends, now);
                let terms = terms.map_err(|invalid| Failure::usage(invalid.to_string()))?;
                let scope = scope(office, &common).await?;
                let token = EnrolmentToken::generate(&mut seeded_by_system()?);
                let new = NewEnrolment { hash: token.hash(), hint: token.hint(), terms };
                let record = office.storage.enrolment_create(&scope, &new, now).await?;
                Ok(shown_once(&token, &record, public_url, &common, now))
            }
            Self::List { common } => {
                let scope = scope(office, &common).await?;
                let records = office.storage.enrolment_list(&scope.read_account()).await?;
                Ok(match common.format {
                    OutputFormat::Text => lines(&records, now),
                    OutputFormat::Json => {
                        let tokens: Vec<_> = records.iter().map(|record| in_json(record, now)).collect();
                        format!("{}\n", json!({ "enrolments": tokens }))
                    }
                })
            }
            Self::Revoke { id, common } => {
                let scope = scope(office, &common).await?;
                if !office.storage.enrolment_revoke(&scope, id, now).await? {
                    let sentence = format!("the account {} has no enrolment token {id} to revoke", common.account);
                    return Err(Failure::failed(sentence));
                }
                Ok(match common.format {
                    OutputFormat::Text => format!("revoked {id}\n"),
                    OutputFormat::Json => format!("{}\n", json!({ "id": id.0, "state": "revoked" })),
                })
            }
        }
    }
}

async fn scope(office: &Office, common: &EnrolmentArguments) -> Result<Scope<ManageAccount>, Failure> {
    Ok(Scope::system(office.account(&common.account).await?.id, REASON))
}

/// The token for standard output; what people should know of it goes to standard error, so that scripts read the token
/// alone.
fn shown_once(
    token: &EnrolmentToken,
    record: &EnrolmentRecord,
    public_url: Option<&str>,
    common: &EnrolmentArguments,
    now: Timestamp,
) -> String {
    let server = public_url.unwrap_or(SOME_SERVER);
    // The machine of an agent that is there may still have the token that ends now.
    let replace = if record.terms.agent_id().is_some() { " --replace" } else { "" };
    let command = |token: &str| format!("astranetmon-agent enroll --server {server}{replace} --token {token}");
    eprintln!("enrolment token {} of {}: shown this once; on the machine to watch run", record.id, common.account);
    match common.format {
        OutputFormat::Text => {
            eprintln!("  {}", command("TOKEN"));
            format!("{}\n", token.reveal())
        }
        OutputFormat::Json => {
            eprintln!("  what is in \"command\"");
            let mut value = in_json(record, now);
            value["token"] = Value::from(token.reveal());
            value["command"] = Value::from(command(token.reveal()));
            format!("{value}\n")
        }
    }
}

const fn state_name(state: EnrolmentState) -> &'static str {
    match state {
        EnrolmentState::Live => "live",
        EnrolmentState::UsedUp => "used up",
        EnrolmentState::Expired { .. } => "expired",
        EnrolmentState::Revoked { .. } => "revoked",
    }
}

fn lines(records: &[EnrolmentRecord], now: Timestamp) -> String {
    let row = |record: &EnrolmentRecord| {
        let terms = &record.terms;
        [
            record.id.to_string(),
            terms.name().to_owned(),
            format!("{}{}…", EnrolmentToken::PREFIX, record.hint.as_str()),
            state_name(record.state(now)).to_owned(),
            terms.agent_id().map_or_else(|| "-".to_owned(), ToString::to_string),
            format!("{}/{}", record.use_count, terms.max_uses()),
            terms.expires_at().to_string(),
        ]
    };
    let heading = ["ID", "NAME", "TOKEN", "STATE", "AGENT", "USED", "EXPIRES"];
    table(heading, &records.iter().map(row).collect::<Vec<_>>())
}

fn in_json(record: &EnrolmentRecord, now: Timestamp) -> Value {
    let (terms, time) = (&record.terms, |time: Option<Timestamp>| time.map(|time| time.to_string()));
    json!({
        "id": record.id.0,
        "name": terms.name(),
        "hint": record.hint.as_str(),
        "state": state_name(record.state(now)),
        "agent_id": terms.agent_id().map(AgentId::as_str),
        "labels": terms.labels(),
        "max_uses": terms.max_uses(),
        "use_count": record.use_count,
        "created_at": record.created_at.to_string(),
        "expires_at": terms.expires_at().to_string(),
        "last_used_at": time(record.last_used_at),
        "revoked_at": time(record.revoked_at),
    })
}
