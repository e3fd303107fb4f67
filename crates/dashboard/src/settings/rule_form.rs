//! A rule as its form sends it and is filled with it.

use astranetmon_domain::{
    AgentId, AlertAgents, AlertChannelId, AlertCondition, AlertName, AlertRuleDefinition, AlertSeverity, METRIC_FIELDS,
    MetricField, MetricThreshold, OfflineFor, RouteTarget, SpeedtestMinimum, ThresholdSide,
};
use astranetmon_http::ApiError;
use serde::{Deserialize, Serialize};

use super::form::refused;

/// What the form of a rule says. Fields of other kinds than `kind` are null.
#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RuleForm {
    name: Option<String>,
    severity: Option<String>,
    enabled: bool,
    /// Null: all agents.
    agent_id: Option<String>,
    channels: Vec<String>,
    kind: Option<String>,
    field: Option<String>,
    side: Option<String>,
    value: Option<f64>,
    for_minutes: Option<f64>,
    offline_minutes: Option<f64>,
    download_mbps: Option<f64>,
    upload_mbps: Option<f64>,
    target: Option<String>,
}

/// Whole seconds of a number of minutes; `None` if that is no possible time.
fn seconds(minutes: f64) -> Option<u32> {
    let seconds = (minutes * 60.0).round();
    // The largest time of a rule is a week; the cast cannot cut anything off below that.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the bounds just checked")]
    (0.0..=1e6).contains(&seconds).then_some(seconds as u32)
}

impl RuleForm {
    /// The rule.
    ///
    /// # Errors
    /// 400 with what is wrong and what is accepted.
    pub(super) fn definition(self) -> Result<AlertRuleDefinition, ApiError> {
        let name: AlertName =
            self.name.as_deref().unwrap_or_default().trim().parse().map_err(|error| sentence(&error))?;
        let severity = self.severity.as_deref().and_then(AlertSeverity::from_name);
        let severity = severity.ok_or_else(|| refused("A severity is info, warning or critical"))?;
        let agents = match &self.agent_id {
            None => AlertAgents::All,
            Some(id) => AlertAgents::One(AgentId::parse(id).map_err(|_| refused("Choose an agent from the list"))?),
        };
        let channels: Result<Vec<AlertChannelId>, _> = self.channels.iter().map(|id| id.parse()).collect();
        let channels = channels.map_err(|_| refused("Choose channels from the list"))?;
        let condition = self.condition()?;
        Ok(AlertRuleDefinition { name, enabled: self.enabled, severity, agents, condition, channels })
    }

    fn condition(&self) -> Result<AlertCondition, ApiError> {
        match self.kind.as_deref() {
            Some("metric_threshold") => {
                let side = self.side.as_deref().and_then(ThresholdSide::from_name);
                let side = side.ok_or_else(|| refused("A value is above or below the threshold"))?;
                let value = self.value.ok_or_else(|| refused("Type the threshold, such as 90"))?;
                let held = self.for_minutes.and_then(seconds);
                let held = held.ok_or_else(|| refused("A value stays there for 0 to 1440 minutes, such as 5"))?;
                let field = self.field.as_deref().unwrap_or_default();
                let threshold = MetricThreshold::new(field, side, value, held).map_err(|error| sentence(&error))?;
                Ok(AlertCondition::MetricThreshold(threshold))
            }
            Some("agent_offline") => {
                let silent = self.offline_minutes.and_then(seconds).and_then(|seconds| OfflineFor::new(seconds).ok());
                let silent = silent
                    .ok_or_else(|| refused("An agent counts as offline after 0.5 to 10080 minutes, such as 5"))?;
                Ok(AlertCondition::AgentOffline(silent))
            }
            Some("speedtest_below") => {
                let minimum = SpeedtestMinimum::new(self.download_mbps, self.upload_mbps);
                Ok(AlertCondition::SpeedtestBelow(minimum.map_err(|error| sentence(&error))?))
            }
            Some("route_changed") => {
                let target = self.target.as_deref().map(|target| RouteTarget::parse(target.trim())).transpose();
                Ok(AlertCondition::RouteChanged { target: target.map_err(|error| sentence(&error))? })
            }
            _ => Err(refused("Choose what the rule watches")),
        }
    }
}

/// What fills the form to change that rule.
impl From<&AlertRuleDefinition> for RuleForm {
    fn from(rule: &AlertRuleDefinition) -> Self {
        let minutes = |seconds: u32| Some(f64::from(seconds) / 60.0);
        let mut form = Self {
            name: Some(rule.name.to_string()),
            severity: Some(rule.severity.as_str().to_owned()),
            enabled: rule.enabled,
            agent_id: match &rule.agents {
                AlertAgents::All => None,
                AlertAgents::One(id) => Some(id.to_string()),
            },
            channels: rule.channels.iter().map(ToString::to_string).collect(),
            kind: Some(rule.condition.kind().to_owned()),
            ..Self::default()
        };
        match &rule.condition {
            AlertCondition::MetricThreshold(threshold) => {
                form.field = Some(threshold.field().name.to_owned());
                form.side = Some(threshold.side().as_str().to_owned());
                form.value = Some(threshold.value());
                form.for_minutes = minutes(threshold.for_seconds());
            }
            AlertCondition::AgentOffline(silent) => form.offline_minutes = minutes(silent.seconds()),
            AlertCondition::SpeedtestBelow(minimum) => {
                form.download_mbps = minimum.download_mbps();
                form.upload_mbps = minimum.upload_mbps();
            }
            AlertCondition::RouteChanged { target } => {
                form.target = target.as_ref().map(|target| target.as_str().to_owned());
            }
        }
        form
    }
}

fn sentence(error: &dyn std::error::Error) -> ApiError {
    let text = error.to_string();
    let mut letters = text.chars();
    refused(letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect::<String>()))
}

/// A measured field as the form offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldView {
    /// `cpu_percent`
    pub(crate) name: &'static str,
    /// `CPU`
    pub(crate) label: String,
    /// `%`
    pub(crate) unit: &'static str,
}

/// A condition as a row shows it: `CPU above 90 % for 5 min`.
pub(super) fn condition_text(condition: &AlertCondition) -> String {
    let text = condition.to_string();
    let AlertCondition::MetricThreshold(threshold) = condition else { return text };
    let field = threshold.field();
    let held = text.split_once(" for ").map_or_else(String::new, |(_, span)| format!(" for {span}"));
    format!("{} {} {}{held}", field.label(), threshold.side().as_str(), field.with_unit(threshold.value()))
}

/// Every measured field that a threshold makes sense for.
pub(super) fn field_views() -> Vec<FieldView> {
    METRIC_FIELDS.into_iter().filter(|field| field.name != "interval_seconds").map(field_view).collect()
}

pub(super) fn field_view(field: MetricField) -> FieldView {
    FieldView { name: field.name, label: field.label(), unit: field.unit() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rule(kind: Value) -> Result<AlertRuleDefinition, String> {
        let mut form = json!({ "name": "x", "severity": "warning", "enabled": true, "channels": [] });
        for (name, value) in kind.as_object().expect("an object") {
            form[name] = value.clone();
        }
        let form: RuleForm = serde_json::from_value(form).expect("a form");
        form.definition().map_err(|error| error.message())
    }

    #[test]
    fn a_rule_fills_the_form_that_it_came_from() {
        for (kind, said) in [
            (
                json!({ "kind": "metric_threshold", "field": "cpu_percent", "side": "above", "value": 90.0, "for_minutes": 5.0 }),
                "cpu_percent above 90 for 5 min",
            ),
            (json!({ "kind": "agent_offline", "offline_minutes": 0.5, "agent_id": "agent-123" }), "offline for 30 s"),
            (
                json!({ "kind": "speedtest_below", "download_mbps": 50.0, "upload_mbps": 2.5 }),
                "download below 50 Mbps or upload below 2.5 Mbps",
            ),
            (json!({ "kind": "route_changed", "target": "example.com" }), "route to example.com changed"),
            (json!({ "kind": "route_changed" }), "route changed"),
        ] {
            let made = rule(kind.clone()).expect("a rule");
            if kind["kind"] == "metric_threshold" {
                assert_eq!(condition_text(&made.condition), "CPU above 90 % for 5 min");
            } else {
                assert_eq!(condition_text(&made.condition), said);
            }
            assert_eq!(made.condition.to_string(), said);
            assert_eq!(RuleForm::from(&made).definition().expect("the same rule"), made, "{kind}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_told_in_a_sentence() {
        let threshold = json!({ "kind": "metric_threshold", "field": "cpu_percent", "side": "above", "value": 90.0, "for_minutes": 5.0 });
        let with = |name: &str, value: Value| {
            let mut form = threshold.clone();
            form[name] = value;
            form
        };
        for (form, told) in [
            (json!({}), "Choose what the rule watches"),
            (json!({ "kind": "magic" }), "Choose what the rule watches"),
            (with("name", json!("")), "A"),
            (with("severity", json!("loud")), "A severity is info, warning or critical"),
            (with("agent_id", json!("no such/agent")), "Choose an agent from the list"),
            (with("channels", json!(["x"])), "Choose channels from the list"),
            (with("field", json!("cpu")), "A metric is one of the names"),
            (with("side", json!("beside")), "A value is above or below"),
            (with("value", json!(null)), "Type the threshold"),
            (with("for_minutes", json!(-1.0)), "A value stays there for 0 to 1440 minutes"),
            (with("for_minutes", json!(1441.0)), "A condition holds for 0 to 86400 seconds"),
            (json!({ "kind": "agent_offline", "offline_minutes": 0.1 }), "An agent counts as offline after"),
            (json!({ "kind": "agent_offline" }), "An agent counts as offline after"),
            (json!({ "kind": "speedtest_below" }), "A minimum speed is a number above 0"),
            (json!({ "kind": "route_changed", "target": "a\nb" }), "A target is the name or address"),
        ] {
            let refused = rule(form.clone()).expect_err("refused");
            assert!(refused.starts_with(told), "{form}: {refused}");
        }
    }

    #[test]
    fn every_measured_field_is_offered_but_the_interval() {
        assert_eq!(field_views().len(), METRIC_FIELDS.len() - 1);
        let cpu = FieldView { name: "cpu_percent", label: "CPU".to_owned(), unit: "%" };
        assert!(field_views().contains(&cpu));
    }
}
