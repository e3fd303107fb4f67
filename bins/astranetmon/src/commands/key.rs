use astranetmon_auth::{ApiKey, ApiKeyRecord, ApiKeyState, ManageAccount, NewApiKey, Permission, PermissionSet, Scope};
use astranetmon_domain::{AccountName, ApiKeyId, Timestamp, clean_text, parse_moment};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{DatabaseArguments, Office, REASON};
use crate::configuration::{Environment, Span};
use crate::output::table;
use crate::randomness::seeded_by_system;
use crate::{Failure, OutputFormat};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make an API key and print it, this once
    Create {
        /// For people; 1 to 100 characters
        #[arg(long)]
        name: String,
        /// What the key may read; repeatable, everything if absent
        #[arg(long = "permission", value_name = "PERMISSION")]
        permissions: Vec<Permission>,
        /// When the key ends by itself, from now: 90d
        #[arg(long, value_name = "SPAN", conflicts_with = "expires_at")]
        expires_in: Option<Span>,
        /// When the key ends by itself: 2027-01-31 or 2027-01-31T12:00:00Z
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        #[command(flatten)]
        common: KeyArguments,
    },
    /// List an account's keys, newest first
    List {
        #[command(flatten)]
        common: KeyArguments,
    },
    /// Replace a key: print its successor, this once, and let the old one live on for the overlap
    Roll {
        /// The key's id, as listed
        id: ApiKeyId,
        /// Hours that the old key lives on, 0 to 168
        #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(i64).range(0..=168))]
        overlap: i64,
        #[command(flatten)]
        common: KeyArguments,
    },
    /// End a key for good; acts within a second
    Revoke {
        /// The key's id, as listed
        id: ApiKeyId,
        #[command(flatten)]
        common: KeyArguments,
    },
}

#[derive(Debug, Args)]
pub(super) struct KeyArguments {
    /// Name of the account that owns the key
    #[arg(long, value_name = "NAME")]
    account: AccountName,
    #[command(flatten)]
    database: DatabaseArguments,
    /// How to print the result
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

impl KeyCommand {
    pub(super) async fn execute(self, environment: Environment) -> Result<(), Failure> {
        let (Self::Create { common, .. }
        | Self::List { common }
        | Self::Roll { common, .. }
        | Self::Revoke { common, .. }) = &self;
        let office = Office::open(&common.database, environment).await?;
        let result = self.act(&office).await;
        office.finish(result).await
    }

    async fn act(self, office: &Office) -> Result<String, Failure> {
        let now = office.now();
        match self {
            Self::Create { name, permissions, expires_in, expires_at, common } => {
                let name = key_name(&name)?;
                let permissions =
                    if permissions.is_empty() { PermissionSet::ALL } else { permissions.into_iter().collect() };
                let expires_at = expiry(expires_in, expires_at.as_deref(), now)?;
                let scope = scope(office, &common).await?;
                let secret = generate()?;
                let new = NewApiKey { hash: secret.hash(), hint: secret.hint(), name, permissions, expires_at };
                let record = office.storage.api_key_create(&scope, &new, now).await?;
                Ok(shown_once(&secret, &record, &common, now))
            }
            Self::List { common } => {
                let scope = scope(office, &common).await?;
                let records = office.storage.api_key_list(&scope.read_account()).await?;
                Ok(match common.format {
                    OutputFormat::Text => lines(&records, now),
                    OutputFormat::Json => {
                        let keys: Vec<_> = records.iter().map(|record| in_json(record, now)).collect();
                        format!("{}\n", json!({ "keys": keys }))
                    }
                })
            }
            Self::Roll { id, overlap, common } => {
                let scope = scope(office, &common).await?;
                let records = office.storage.api_key_list(&scope.read_account()).await?;
                let old = records.into_iter().find(|record| record.id == id && record.state(now) == ApiKeyState::Live);
                let old = old.ok_or_else(|| missing("live key", id, &common))?;
                let secret = generate()?;
                let new = NewApiKey {
                    hash: secret.hash(),
                    hint: secret.hint(),
                    name: old.name,
                    permissions: old.permissions,
                    expires_at: old.expires_at,
                };
                let old_ends_at = now.plus_seconds(overlap * 3_600);
                let record = office.storage.api_key_roll(&scope, id, &new, old_ends_at, now).await?;
                let record = record.ok_or_else(|| missing("live key", id, &common))?;
                Ok(shown_once(&secret, &record, &common, now))
            }
            Self::Revoke { id, common } => {
                let scope = scope(office, &common).await?;
                let record = office.storage.api_key_revoke(&scope, id, now).await?;
                let record = record.ok_or_else(|| missing("key", id, &common))?;
                Ok(match common.format {
                    OutputFormat::Text => lines(&[record], now),
                    OutputFormat::Json => format!("{}\n", in_json(&record, now)),
                })
            }
        }
    }
}

async fn scope(office: &Office, common: &KeyArguments) -> Result<Scope<ManageAccount>, Failure> {
    Ok(Scope::system(office.account(&common.account).await?.id, REASON))
}

fn missing(what: &str, id: ApiKeyId, common: &KeyArguments) -> Failure {
    Failure::failed(format!("the account {} has no {what} {id}", common.account))
}

fn generate() -> Result<ApiKey, Failure> {
    let mut rng = seeded_by_system()?;
    Ok(ApiKey::generate(&mut rng))
}

fn key_name(text: &str) -> Result<String, Failure> {
    if text.is_empty() || text.trim() != text || clean_text(text, 100) != text {
        return Err(Failure::usage(
            "a key's name is 1 to 100 characters, without control characters or surrounding space",
        ));
    }
    Ok(text.to_owned())
}

fn expiry(within: Option<Span>, at: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    let at = match (within, at) {
        (Some(Span(span)), _) => Some(now.plus_micros(i64::try_from(span.as_micros()).unwrap_or(i64::MAX))),
        (None, Some(text)) => Some(parse_moment(text, now).map_err(|error| Failure::usage(error.to_string()))?),
        (None, None) => None,
    };
    match at {
        Some(at) if at <= now => Err(Failure::usage("a key's end lies in the future")),
        at => Ok(at),
    }
}

/// The key for standard output; what people should know of it goes to standard error, so that scripts read the key
/// alone.
fn shown_once(secret: &ApiKey, record: &ApiKeyRecord, common: &KeyArguments, now: Timestamp) -> String {
    eprintln!("key {} of {}: shown this once, keep it safe", record.id, common.account);
    match common.format {
        OutputFormat::Text => format!("{}\n", secret.reveal()),
        OutputFormat::Json => {
            let mut value = in_json(record, now);
            value["key"] = Value::from(secret.reveal());
            format!("{value}\n")
        }
    }
}

const fn state_name(state: ApiKeyState) -> &'static str {
    match state {
        ApiKeyState::Live => "live",
        ApiKeyState::Expired { .. } => "expired",
        ApiKeyState::Revoked { .. } => "revoked",
    }
}

fn lines(records: &[ApiKeyRecord], now: Timestamp) -> String {
    let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    let row = |record: &ApiKeyRecord| {
        [
            record.id.to_string(),
            record.name.clone(),
            format!("astra_{}…", record.hint.as_str()),
            state_name(record.state(now)).to_owned(),
            record.permissions.to_string(),
            time(record.expires_at),
            time(record.last_used_at),
        ]
    };
    let heading = ["ID", "NAME", "KEY", "STATE", "PERMISSIONS", "EXPIRES", "LAST USED"];
    table(heading, &records.iter().map(row).collect::<Vec<_>>())
}

fn in_json(record: &ApiKeyRecord, now: Timestamp) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    json!({
        "id": record.id.0,
        "name": record.name,
        "hint": record.hint.as_str(),
        "state": state_name(record.state(now)),
        "permissions": record.permissions.iter().map(Permission::as_str).collect::<Vec<_>>(),
        "created_at": record.created_at.to_string(),
        "expires_at": time(record.expires_at),
        "last_used_at": time(record.last_used_at),
        "revoked_at": time(record.revoked_at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keys_end_is_given_as_a_span_or_a_time_and_lies_ahead() {
        let now = Timestamp::from_seconds(1_000_000_000);
        let days = |n: i64| now.plus_seconds(n * 86_400);
        assert_eq!(expiry(None, None, now), Ok(None));
        assert_eq!(expiry(Some("90d".parse().expect("span")), None, now), Ok(Some(days(90))));
        let at = expiry(None, Some("2027-01-31"), now).expect("a date").expect("an end");
        assert_eq!(at.to_string(), "2027-01-31T00:00:00.000Z");
        for text in ["2001-01-01", "-7d", "yesterday", ""] {
            assert!(expiry(None, Some(text), now).is_err(), "{text}");
        }
        assert!(expiry(Some("0s".parse().expect("span")), None, now).is_err());
    }

    #[test]
    fn a_keys_name_is_short_and_printable() {
        assert_eq!(key_name("grafana (berlin)").as_deref(), Ok("grafana (berlin)"));
        for name in ["", " x", "a\nb", &"x".repeat(101)] {
            assert!(key_name(name).is_err(), "{name:?}");
        }
    }
}
