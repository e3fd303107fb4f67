use astranetmon_domain::{AlertEvent, Timestamp};
use astranetmon_storage::AlertEventPosition;

use super::frame::Moment;
use super::rules::severity_class;

/// Events of one page.
pub(super) const EVENTS: u32 = 20;

/// An event as its row shows it.
pub(crate) struct EventView {
    pub(crate) rule: String,
    pub(crate) severity: &'static str,
    pub(crate) severity_class: &'static str,
    pub(crate) agent: String,
    pub(crate) agent_id: String,
    pub(crate) sentence: String,
    pub(crate) resolution: Option<String>,
    pub(crate) fired: Moment,
    /// Of what is over and took a time.
    pub(crate) resolved: Option<Moment>,
    /// A changed route is over when it fires.
    pub(crate) is_moment: bool,
}

impl From<AlertEvent> for EventView {
    fn from(event: AlertEvent) -> Self {
        let is_moment = event.resolved_at == Some(event.fired_at);
        Self {
            rule: event.rule_name.to_string(),
            severity: event.severity.as_str(),
            severity_class: severity_class(event.severity),
            agent: event.agent_name,
            agent_id: event.agent_id.to_string(),
            sentence: event.sentence,
            resolution: event.resolution,
            fired: event.fired_at.into(),
            resolved: event.resolved_at.filter(|_| !is_moment).map(Moment::from),
            is_moment,
        }
    }
}

/// A position as addresses carry it: `1795433218000000.0193…`.
pub(super) fn position_text(event: &AlertEvent) -> String {
    format!("{}.{}", event.fired_at.as_micros(), event.id)
}

/// The inverse; whatever is no position is the beginning.
pub(super) fn position(text: &str) -> Option<AlertEventPosition> {
    let (micros, id) = text.split_once('.')?;
    Some(AlertEventPosition { fired_at: Timestamp::from_micros(micros.parse().ok()?), id: id.parse().ok()? })
}
