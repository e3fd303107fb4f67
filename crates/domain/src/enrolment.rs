use std::collections::BTreeMap;

use crate::{AgentId, Timestamp, clean_text};

/// What an enrolment token is good for. Valid by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentTerms {
    name: String,
    agent_id: Option<AgentId>,
    labels: BTreeMap<String, String>,
    max_uses: u32,
    expires_at: Timestamp,
}

/// Why a token cannot be made on such terms; the text tells people the accepted form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEnrolment {
    /// The name is empty, too long, or not clean.
    #[error("a name is 1 to 100 characters without control characters or surrounding space, for example rack 7")]
    Name,
    /// Never, or too often.
    #[error("a token can be used 1 to 1000 times, for example 10")]
    Uses,
    /// A token for one agent, to be used by several.
    #[error("a token for one agent can be used once, for example 1")]
    UsesOfOneAgent,
    /// In the past, or too far away.
    #[error("a token ends within 30 days from now, for example in 24 hours")]
    End,
    /// A label is malformed.
    #[error(transparent)]
    Label(#[from] InvalidLabel),
}

impl EnrolmentTerms {
    /// Uses that a token may be made for.
    pub const MOST_USES: u32 = 1_000;
    /// How long a token lives unless somebody says otherwise, in seconds.
    pub const DEFAULT_SECONDS: i64 = 24 * 3_600;
    /// How long a token may live, in seconds.
    pub const LONGEST_SECONDS: i64 = 30 * 24 * 3_600;

    /// Terms of a token made at `now`: called `name` (1 to 100 characters), for new agents or, with an `agent_id`, for
    /// this one only; agents get these labels.
    ///
    /// # Errors
    /// [`InvalidEnrolment`] says what does not fit.
    pub fn new(
        name: &str,
        agent_id: Option<AgentId>,
        labels: BTreeMap<String, String>,
        max_uses: u32,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Self, InvalidEnrolment> {
        if name.is_empty() || name.trim() != name || clean_text(name, 100) != name {
            return Err(InvalidEnrolment::Name);
        }
        if !(1..=Self::MOST_USES).contains(&max_uses) {
            return Err(InvalidEnrolment::Uses);
        }
        if agent_id.is_some() && max_uses > 1 {
            return Err(InvalidEnrolment::UsesOfOneAgent);
        }
        if expires_at <= now || expires_at > now.plus_seconds(Self::LONGEST_SECONDS) {
            return Err(InvalidEnrolment::End);
        }
        check_labels(&labels)?;
        Ok(Self { name: name.to_owned(), agent_id, labels, max_uses, expires_at })
    }

    /// From storage, which keeps what was valid when it was made.
    #[must_use]
    pub const fn from_stored(
        name: String,
        agent_id: Option<AgentId>,
        labels: BTreeMap<String, String>,
        max_uses: u32,
        expires_at: Timestamp,
    ) -> Self {
        Self { name, agent_id, labels, max_uses, expires_at }
    }

    /// Given by a person.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The one agent that it enrols, anew if it is there; `None` for new agents.
    #[must_use]
    pub const fn agent_id(&self) -> Option<&AgentId> {
        self.agent_id.as_ref()
    }

    /// What agents are labelled with.
    #[must_use]
    pub const fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// How often it can be exchanged.
    #[must_use]
    pub const fn max_uses(&self) -> u32 {
        self.max_uses
    }

    /// When it ends by itself.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// Labels that an agent may have.
pub const MOST_LABELS: usize = 32;

/// Labels that an agent cannot have; the text tells people the accepted form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabel {
    /// More than [`MOST_LABELS`].
    #[error("an agent has at most 32 labels, for example site=ber and rack=7")]
    TooMany,
    /// A name of another form.
    #[error("a label's name is 1 to 64 of the characters A-Z a-z 0-9 . _ -, for example site")]
    Name,
    /// A value that is too long or not clean.
    #[error(
        "a label's value is at most 200 characters without control characters or surrounding space, for example ber"
    )]
    Value,
}

/// Checks the labels of an agent: at most 32, names of 1 to 64 of `[A-Za-z0-9._-]`, values of at most 200 characters
/// without control characters or surrounding space.
///
/// # Errors
/// [`InvalidLabel`] says what does not fit.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), InvalidLabel> {
    if labels.len() > MOST_LABELS {
        return Err(InvalidLabel::TooMany);
    }
    for (name, value) in labels {
        // The alphabet is that of agent ids, so that `label=site:ber` can be taken apart.
        if AgentId::parse(name).is_err() {
            return Err(InvalidLabel::Name);
        }
        if value.trim() != value || clean_text(value, 200) != *value {
            return Err(InvalidLabel::Value);
        }
    }
    Ok(())
}

impl AgentId {
    /// Ids for a new agent of a host of that name, best first, without end: the name cleaned to the alphabet of ids
    /// (`agent` if nothing stays), then with `-2`, `-3` and so on.
    pub fn candidates(hostname: &str) -> impl Iterator<Item = Self> {
        let stem = Self::stem(hostname);
        let numbered = stem.clone();
        std::iter::once(stem).chain((2_u32..).map(move |number| format!("{numbered}-{number}"))).filter_map(|text| {
            // Never fails: the stem leaves room for the number.
            Self::parse(&text).ok()
        })
    }

    /// What all [`AgentId::candidates`] of a host begin with.
    #[must_use]
    pub fn stem(hostname: &str) -> String {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let cleaned: String = hostname.chars().filter(allowed).take(Self::MAX_LENGTH - "-4294967295".len()).collect();
        if cleaned.is_empty() { "agent".to_owned() } else { cleaned }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn terms_outside_the_bounds_are_refused_by_what_does_not_fit() {
        let at = Timestamp::from_seconds;
        let one = || AgentId::parse("web-1").ok();
        let day = 86_400;
        let long = "x".repeat(101);
        for (name, agent_id, uses, ends, expected) in [
            ("rack 7", None, 1, day, Ok(())),
            ("rack 7", None, 1_000, 30 * day, Ok(())),
            ("web", one(), 1, day, Ok(())),
            ("", None, 1, day, Err(InvalidEnrolment::Name)),
            (" rack", None, 1, day, Err(InvalidEnrolment::Name)),
            ("a\nb", None, 1, day, Err(InvalidEnrolment::Name)),
            (&long, None, 1, day, Err(InvalidEnrolment::Name)),
            ("rack 7", None, 0, day, Err(InvalidEnrolment::Uses)),
            ("rack 7", None, 1_001, day, Err(InvalidEnrolment::Uses)),
            ("web", one(), 2, day, Err(InvalidEnrolment::UsesOfOneAgent)),
            ("rack 7", None, 1, 0, Err(InvalidEnrolment::End)),
            ("rack 7", None, 1, 30 * day + 1, Err(InvalidEnrolment::End)),
        ] {
            let terms = EnrolmentTerms::new(name, agent_id, BTreeMap::new(), uses, at(ends), at(0));
            assert_eq!(terms.map(|_| ()), expected, "{name:?} {uses} {ends}");
        }
        let bad = EnrolmentTerms::new("x", None, labels(&[("a b", "")]), 1, at(1), at(0));
        assert_eq!(bad, Err(InvalidEnrolment::Label(InvalidLabel::Name)));
    }

    #[test]
    fn labels_are_few_and_their_names_can_stand_in_a_query() {
        let long = "x".repeat(201);
        let many: Vec<String> = (0..=MOST_LABELS).map(|n| n.to_string()).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), "")).collect();
        for (pairs, expected) in [
            (&[("site", "ber"), ("rack", "7 – ä"), ("empty", "")][..], Ok(())),
            (&many[..MOST_LABELS], Ok(())),
            (&many[..], Err(InvalidLabel::TooMany)),
            (&[("", "x")], Err(InvalidLabel::Name)),
            (&[("a:b", "x")], Err(InvalidLabel::Name)),
            (&[("site", " ber")], Err(InvalidLabel::Value)),
            (&[("site", "b\u{202e}er")], Err(InvalidLabel::Value)),
            (&[("site", long.as_str())], Err(InvalidLabel::Value)),
        ] {
            assert_eq!(check_labels(&labels(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn ids_come_from_the_hostname() {
        let long = "h".repeat(253);
        for (hostname, first, third) in [
            ("web-1.example.com", "web-1.example.com", "web-1.example.com-3"),
            ("Büro PC", "BroPC", "BroPC-3"),
            ("東京", "agent", "agent-3"),
            ("", "agent", "agent-3"),
            (&long, &"h".repeat(53), &format!("{}-3", "h".repeat(53))),
        ] {
            let ids: Vec<_> = AgentId::candidates(hostname).take(3).collect();
            assert_eq!((ids[0].as_str(), ids[2].as_str()), (first, third), "{hostname}");
        }
    }
}
