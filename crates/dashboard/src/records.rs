//! What the lists of records across agents have in common: filters in the address, and paging.

use astranetmon_domain::{
    AgentFilter, AgentId, Limit, PageRequest, RecordFilter, RecordPosition, Timestamp, TracerouteId,
};
use astranetmon_http::ApiError;
use serde::Deserialize;

use crate::format;
use crate::range::{Range, RangeQuery, SPANS, Span};

/// Rows of a page.
pub(crate) const PAGE_ROWS: u32 = 50;

/// The parameters of a list's address.
#[derive(Deserialize)]
pub(crate) struct ListQuery {
    #[serde(flatten)]
    range: RangeQuery,
    /// Only this agent's.
    agent: Option<String>,
    /// Where the page begins, see [`position_text`].
    after: Option<String>,
    /// Rows on the pages before.
    skipped: Option<u64>,
}

/// What a list shows.
pub(crate) struct ListView {
    pub(crate) range: Range,
    pub(crate) spans: [Span; 5],
    /// Start and end of the range, RFC 3339.
    pub(crate) ends: [String; 2],
    pub(crate) agent: Option<AgentId>,
    /// Set on all pages but the first.
    after: Option<RecordPosition>,
    skipped: u64,
}

impl ListView {
    /// Reads an address.
    ///
    /// # Errors
    /// 400 for a range or position that is none.
    pub(crate) fn of(query: &ListQuery, now: Timestamp) -> Result<Self, ApiError> {
        let range = Range::of(&query.range, "7d", now)?;
        let agent = query.agent.as_deref().filter(|text| !text.is_empty());
        let agent = agent.map(|text| AgentId::parse(text).map_err(|_| ApiError::NotFound)).transpose()?;
        let after = query.after.as_deref().filter(|text| !text.is_empty()).map(position).transpose()?;
        let (start, end) = range.ends(now);
        Ok(Self {
            range,
            spans: SPANS,
            ends: [format::machine_time(start), format::machine_time(end)],
            agent,
            skipped: if after.is_some() { query.skipped.unwrap_or(0) } else { 0 },
            after,
        })
    }

    pub(crate) fn filter(&self, now: Timestamp) -> RecordFilter {
        let agent = self.agent.clone().map_or(AgentFilter::All, AgentFilter::One);
        RecordFilter { agent, range: self.range.time_range(now) }
    }

    pub(crate) fn page_request(&self) -> PageRequest<RecordPosition, 1_000> {
        PageRequest::new(Limit::new(PAGE_ROWS).unwrap_or(Limit::LARGEST), self.after.clone())
    }

    /// Whether the agent of that id is the chosen one.
    pub(crate) fn is_agent(&self, id: &AgentId) -> bool {
        self.agent.as_ref() == Some(id)
    }

    /// The agent's and the range's parameters.
    pub(crate) fn parameters(&self) -> String {
        let agent = self.agent.as_ref().map_or_else(String::new, |id| format!("agent={id}&"));
        format!("{agent}{}", self.range.parameters())
    }

    /// The parameters of another span for the same agent.
    pub(crate) fn span_parameters(&self, span: &Span) -> String {
        let agent = self.agent.as_ref().map_or_else(String::new, |id| format!("agent={id}&"));
        format!("{agent}range={}", span.name)
    }

    /// What is below the table; `last` is the page's last row if rows remain behind it.
    pub(crate) fn pager(&self, rows: usize, total: u64, last: Option<RecordPosition>) -> Pager {
        let shown = self.skipped.saturating_add(u64::try_from(rows).unwrap_or(u64::MAX));
        let text = if rows == 0 {
            "Nothing more".to_owned()
        } else {
            let [first, last, total] = [self.skipped + 1, shown, total.max(shown)].map(format::grouped);
            format!("{first}–{last} of {total}")
        };
        Pager {
            text,
            newest: self.after.is_some().then(|| self.parameters()),
            older: last.map(|last| format!("{}&after={}&skipped={shown}", self.parameters(), position_text(&last))),
        }
    }
}

/// What is below a table.
pub(crate) struct Pager {
    /// `51–100 of 1,234`
    pub(crate) text: String,
    /// The parameters of the first page.
    pub(crate) newest: Option<String>,
    /// The parameters of the next page.
    pub(crate) older: Option<String>,
}

/// `<microseconds>.<uuid>.<agent>`: ids of agents may have dots, so they come last.
fn position_text(position: &RecordPosition) -> String {
    format!("{}.{}.{}", position.timestamp.as_micros(), position.id.simple(), position.agent_id)
}

fn position(text: &str) -> Result<RecordPosition, ApiError> {
    let mut parts = text.splitn(3, '.');
    let mut next = || parts.next().unwrap_or_default();
    let (micros, id, agent) = (next().parse::<i64>(), next().parse::<TracerouteId>(), AgentId::parse(next()));
    match (micros, id, agent) {
        (Ok(micros), Ok(id), Ok(agent_id)) => {
            Ok(RecordPosition { timestamp: Timestamp::from_micros(micros), agent_id, id: id.0 })
        }
        _ => Err(ApiError::BadRequest("This page of the list is not there: begin with the newest".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let text = "1795433218000000.0189f7e0000070008000000000000001.db-1.fra";
        assert_eq!(position(text).map(|it| position_text(&it)).expect("a position"), text);
        for bad in ["", "1", "1.2.a", "x.0189f7e0000070008000000000000001.a", "1.0189f7e0000070008000000000000001.a b"]
        {
            assert!(position(bad).is_err(), "{bad}");
        }
    }
}
