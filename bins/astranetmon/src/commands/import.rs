use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use astranetmon_auth::{Ingest, ReadAgents, Scope};
use astranetmon_domain::{AccountId, AccountName, AgentFacts, AgentId, Speedtest, Timestamp, Traceroute, parse_moment};
use astranetmon_ingest::foreign::{Entry, FieldReport, ForeignFile, ForeignRow, Format, convert};
use astranetmon_ingest::{RowContext, TimeBounds, WireRow};
use astranetmon_storage::NewAgent;
use clap::Args;

use super::{DatabaseArguments, Office, REASON};
use crate::Failure;
use crate::configuration::Environment;

mod report;

use report::{ImportReport, RefusedResult};

/// Longest file that is read.
const LONGEST_FILE: u64 = 256 * 1024 * 1024;
/// Rows that are written in one transaction.
const ROWS_AT_ONCE: usize = 1_000;

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// Name of the account
    #[arg(long, value_name = "NAME")]
    account: AccountName,
    /// The agent that measured; 1 to 64 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "ID", value_parser = AgentId::parse)]
    agent: AgentId,
    /// Add the agent if it is not there
    #[arg(long)]
    create_agent: bool,
    /// ookla, librespeed, mtr, atlas, or auto: by the looks of each result
    #[arg(long, value_name = "FORMAT", default_value = "auto", value_parser = ChosenFormat::parse)]
    format: ChosenFormat,
    /// When results were measured that do not say it, as mtr's: 2026-11-23T11:26:58Z; else when the file was changed
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Print the report as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArguments,
    /// Files of results; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// The formats of the command line; `None` is told by looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ChosenFormat(Option<Format>);

impl ChosenFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self(None)),
            _ => text.parse().map(|format| Self(Some(format))).map_err(|error| format!("{error}, or auto")),
        }
    }
}

impl ImportArguments {
    pub(super) async fn execute(self, environment: Environment) -> Result<(), Failure> {
        let office = Office::open(&self.database, environment).await?;
        let result = self.import(&office).await;
        let json = self.json;
        let text = result.as_ref().map(|report| if json { report.in_json() } else { report.in_text() });
        let failure = result.as_ref().ok().and_then(ImportReport::failure);
        office.finish(text.map_err(Clone::clone)).await?;
        failure.map_or(Ok(()), Err)
    }

    async fn import(&self, office: &Office) -> Result<ImportReport, Failure> {
        let now = office.now();
        let at = self.at.as_deref().map(|text| parse_moment(text, now)).transpose();
        let at = at.map_err(|error| Failure::usage(format!("--at: {error}")))?;
        let account = office.account(&self.account).await?.id;
        let scope: Scope<Ingest> = Scope::system(account, REASON);
        let mut report = ImportReport::new(&self.agent);
        report.agent_created = self.find_or_create_agent(office, account, &scope, now).await?;

        let retention = office.storage.retention_for_ingest(&scope).await?;
        let bounds = TimeBounds::keeping_days(now, retention.retention.hourly_days());
        let context = RowContext { agent: &self.agent, bounds: &bounds };
        let mut rows = Rows::default();
        for path in &self.files {
            let name = path.display().to_string();
            match self.read(path, at) {
                Ok(file) => rows.take(file, &name, &context, &mut report),
                Err(reason) => report.refuse(RefusedResult { file: name, position: None, reason }),
            }
        }
        rows.write(office, &scope, now, &mut report).await?;
        Ok(report)
    }

    /// Whether the agent was made.
    async fn find_or_create_agent(
        &self,
        office: &Office,
        account: AccountId,
        scope: &Scope<Ingest>,
        now: Timestamp,
    ) -> Result<bool, Failure> {
        let reading: Scope<ReadAgents> = Scope::system(account, REASON);
        if office.storage.agent_find(&reading, &self.agent).await?.is_some() {
            return Ok(false);
        }
        if !self.create_agent {
            let (account, agent) = (&self.account, &self.agent);
            return Err(Failure::failed(format!(
                "the account {account} has no agent {agent}: add it with --create-agent"
            )));
        }
        let facts = AgentFacts { hostname: self.agent.to_string(), ..AgentFacts::default() };
        let agent = NewAgent { id: self.agent.clone(), facts, name: None, public_ip: None, labels: BTreeMap::new() };
        office.storage.agent_upsert(scope, &agent, now).await?;
        Ok(true)
    }

    fn read(&self, path: &Path, at: Option<Timestamp>) -> Result<ForeignFile, String> {
        let mut text = Vec::new();
        let (read, changed) = if path == Path::new("-") {
            (std::io::stdin().take(LONGEST_FILE + 1).read_to_end(&mut text), None)
        } else {
            let file = std::fs::File::open(path).map_err(|error| format!("it cannot be opened: {error}"))?;
            let changed = file.metadata().and_then(|metadata| metadata.modified()).ok();
            (file.take(LONGEST_FILE + 1).read_to_end(&mut text), changed)
        };
        read.map_err(|error| format!("it cannot be read: {error}"))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > LONGEST_FILE) {
            return Err("it is longer than 256 MiB: split it".to_owned());
        }
        let changed = changed.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let changed = changed.and_then(|time| i64::try_from(time.as_micros()).ok()).map(Timestamp::from_micros);
        convert(&text, self.format.0, at.or(changed)).map_err(|error| error.to_string())
    }
}

/// Rows that passed the checks.
#[derive(Default)]
struct Rows {
    speedtests: Vec<Speedtest>,
    traceroutes: Vec<Traceroute>,
}

impl Rows {
    fn take(&mut self, file: ForeignFile, name: &str, context: &RowContext<'_>, report: &mut ImportReport) {
        report.skipped += file.skipped;
        for Entry { position, format, row, fields } in file.entries {
            report.results += 1;
            let row = match row {
                Ok(row) => row,
                Err(reason) => {
                    report.refuse(RefusedResult { file: name.to_owned(), position: Some(position), reason });
                    continue;
                }
            };
            let timestamp = match &row {
                ForeignRow::Speedtest(row) => row.timestamp,
                ForeignRow::Traceroute(row) => row.timestamp,
            };
            if timestamp.is_some_and(|timestamp| timestamp < context.bounds.oldest()) {
                report.too_old += 1;
                continue;
            }
            let taken = match row {
                ForeignRow::Speedtest(row) => row.check(context).map(|test| self.speedtests.push(test)),
                ForeignRow::Traceroute(row) => row.check(context).map(|trace| self.traceroutes.push(trace)),
            };
            match taken {
                Ok(()) => report.note_fields(format, &fields),
                Err(refusal) => {
                    let reason = refusal.to_string();
                    report.refuse(RefusedResult { file: name.to_owned(), position: Some(position), reason });
                }
            }
        }
    }

    /// Writes the rows, oldest first.
    async fn write(
        mut self,
        office: &Office,
        scope: &Scope<Ingest>,
        now: Timestamp,
        report: &mut ImportReport,
    ) -> Result<(), Failure> {
        self.speedtests.sort_by_key(|test| (test.timestamp, test.id));
        self.traceroutes.sort_by_key(|trace| (trace.timestamp, trace.id));
        for tests in self.speedtests.chunks(ROWS_AT_ONCE) {
            let appended = office.storage.speedtest_append(scope, tests.to_vec(), now).await?;
            report.speedtests += appended.inserted;
            report.known += appended.known;
        }
        for traces in self.traceroutes.chunks(ROWS_AT_ONCE) {
            let appended = office.storage.traceroute_append(scope, traces.to_vec(), now).await?;
            report.traceroutes += appended.inserted;
            report.known += appended.known;
        }
        Ok(())
    }
}

impl ImportReport {
    fn note_fields(&mut self, format: Option<Format>, fields: &FieldReport) {
        if let Some(format) = format {
            self.fields.entry(format).or_default().merge(fields);
        }
    }
}
