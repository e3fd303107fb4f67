//! What an import came to.

use std::collections::BTreeMap;
use std::fmt::Write;

use astranetmon_domain::AgentId;
use astranetmon_ingest::foreign::{FieldReport, FieldUse, Format};
use serde_json::{Value, json};

use crate::Failure;
use crate::output::table;

/// Refused results that are named.
const MOST_NAMED: usize = 100;

/// A result, or a whole file, that was not imported.
#[derive(Clone, Debug)]
pub(super) struct RefusedResult {
    pub(super) file: String,
    /// Its place in the file, from 1; `None` for the file as a whole.
    pub(super) position: Option<usize>,
    pub(super) reason: String,
}

#[derive(Clone, Debug)]
pub(super) struct ImportReport {
    agent: AgentId,
    pub(super) agent_created: bool,
    /// Results in the files.
    pub(super) results: u64,
    pub(super) speedtests: u64,
    pub(super) traceroutes: u64,
    pub(super) known: u64,
    pub(super) too_old: u64,
    refused: u64,
    refused_results: Vec<RefusedResult>,
    /// Documents that are no results.
    pub(super) skipped: usize,
    pub(super) fields: BTreeMap<Format, FieldReport>,
}

impl ImportReport {
    pub(super) fn new(agent: &AgentId) -> Self {
        Self {
            agent: agent.clone(),
            agent_created: false,
            results: 0,
            speedtests: 0,
            traceroutes: 0,
            known: 0,
            too_old: 0,
            refused: 0,
            refused_results: Vec::new(),
            skipped: 0,
            fields: BTreeMap::new(),
        }
    }

    pub(super) fn refuse(&mut self, result: RefusedResult) {
        self.refused += 1;
        if self.refused_results.len() < MOST_NAMED {
            self.refused_results.push(result);
        }
    }

    /// Why the command did not succeed, if it did not.
    pub(super) fn failure(&self) -> Option<Failure> {
        match (self.refused, self.too_old) {
            (0, 0) => None,
            (0, old) => Some(Failure::failed(format!("not imported: {old} older than the account keeps"))),
            (refused, 0) => Some(Failure::failed(format!("not imported: {refused} refused"))),
            (refused, old) => {
                Some(Failure::failed(format!("not imported: {refused} refused, {old} older than the account keeps")))
            }
        }
    }

    pub(super) fn in_text(&self) -> String {
        let mut text = String::new();
        let created = if self.agent_created { " (made for it)" } else { "" };
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{} results for the agent {}{created}: {} speed tests and {} traceroutes imported, {} known, {} too old, {} \
             refused; {} documents were no results",
            self.results,
            self.agent,
            self.speedtests,
            self.traceroutes,
            self.known,
            self.too_old,
            self.refused,
            self.skipped,
        );
        for RefusedResult { file, position, reason } in &self.refused_results {
            let place = position.map_or_else(String::new, |position| format!(", result {position}"));
            let _ = writeln!(text, "refused: {file}{place}: {reason}");
        }
        let rows = self.fields.iter().flat_map(|(format, fields)| field_rows(*format, fields)).collect::<Vec<_>>();
        if !rows.is_empty() {
            text.push('\n');
            text += &table(["FORMAT", "FIELD", "WHAT", "BECOMES", "HOW"], &rows);
        }
        text
    }

    pub(super) fn in_json(&self) -> String {
        let refused = |result: &RefusedResult| json!({ "file": result.file, "position": result.position, "reason": result.reason });
        let fields: serde_json::Map<String, Value> =
            self.fields.iter().map(|(format, fields)| (format.to_string(), fields_in_json(fields))).collect();
        let report = json!({
            "agent_id": self.agent.as_str(),
            "agent_created": self.agent_created,
            "results": self.results,
            "imported": { "speedtests": self.speedtests, "traceroutes": self.traceroutes },
            "known": self.known,
            "too_old": self.too_old,
            "refused": self.refused,
            "refused_results": self.refused_results.iter().map(refused).collect::<Vec<_>>(),
            "skipped": self.skipped,
            "fields": fields,
        });
        format!("{report}\n")
    }
}

fn field_rows(format: Format, fields: &FieldReport) -> Vec<[String; 5]> {
    let used = |what: &'static str| {
        move |(path, field): (&String, &FieldUse)| {
            let texts = [format.as_str(), path.as_str(), what, field.target, field.rule];
            texts.map(str::to_owned)
        }
    };
    let dropped = fields.dropped.iter().map(|path| [format.as_str(), path, "dropped", "", ""].map(str::to_owned));
    let kept = fields.kept.iter().map(used("kept"));
    kept.chain(fields.converted.iter().map(used("converted"))).chain(dropped).collect()
}

fn fields_in_json(fields: &FieldReport) -> Value {
    let kept = |(path, field): (&String, &FieldUse)| json!({ "field": path, "becomes": field.target });
    let converted =
        |(path, field): (&String, &FieldUse)| json!({ "field": path, "becomes": field.target, "rule": field.rule });
    json!({
        "kept": fields.kept.iter().map(kept).collect::<Vec<_>>(),
        "converted": fields.converted.iter().map(converted).collect::<Vec<_>>(),
        "dropped": fields.dropped,
    })
}
