use std::collections::HashMap;

use astranetmon_auth::{ApiKeyRecord, EnrolmentRecord, EnrolmentToken};
use astranetmon_domain::{Agent, User};
use astranetmon_storage::AuditEntry;

use super::form::sentence;
use crate::names::names;

/// What the audit log's `user:3` and `key:7` are called.
pub(super) struct Names(HashMap<String, String>);

impl Names {
    pub(super) fn new(users: &[User]) -> Self {
        Self(users.iter().map(|user| (format!("user:{}", user.id), user.email.to_string())).collect())
    }

    pub(super) fn with_keys(mut self, keys: &[ApiKeyRecord]) -> Self {
        self.0.extend(keys.iter().map(|key| (format!("key:{}", key.id), key_name(key))));
        self
    }

    pub(super) fn with_agents(mut self, agents: &[Agent]) -> Self {
        let named = |agent: &Agent| match names(agent) {
            (name, Some(_)) => format!("agent “{name}” ({})", agent.id),
            (_, None) => format!("agent {}", agent.id),
        };
        self.0.extend(agents.iter().map(|agent| (format!("agent:{}", agent.id), named(agent))));
        self
    }

    pub(super) fn with_enrolments(mut self, enrolments: &[EnrolmentRecord]) -> Self {
        let named = |record: &EnrolmentRecord| {
            format!("enrolment token “{}” ({}{}…)", record.terms.name(), EnrolmentToken::PREFIX, record.hint.as_str())
        };
        self.0.extend(enrolments.iter().map(|record| (format!("enrolment:{}", record.id), named(record))));
        self
    }

    /// Of `user:3`, `key:7`, or what has no name: `session 12`.
    fn of(&self, reference: &str) -> String {
        if let Some(name) = self.0.get(reference) {
            return name.clone();
        }
        match reference.split_once(':') {
            Some(("enrolment", id)) => format!("enrolment token {id}"),
            Some((kind, id)) => format!("{} {id}", kind.replace('_', " ")),
            None => reference.to_owned(),
        }
    }

    /// Who did it.
    pub(super) fn actor(&self, entry: &AuditEntry) -> String {
        match entry.actor.split_once(':') {
            Some(("system", "command line")) => "Operator, at the command line".to_owned(),
            Some(("system", reason)) => format!("Server ({reason})"),
            Some(("address", address)) => format!("Somebody at {address}"),
            Some(("key", _)) => format!("API key {}", self.of(&entry.actor)),
            Some(("agent" | "enrolment", _)) => sentence(&self.of(&entry.actor)),
            _ => self.of(&entry.actor),
        }
    }

    /// What was done, to be read after who did it.
    pub(super) fn deed(&self, entry: &AuditEntry) -> String {
        let object = entry.object.as_str();
        // "user:5 role:admin": a thing and what it was given.
        let (thing, given) = object.split_once(' ').unwrap_or((object, ""));
        let given = given.split_once(':').map_or(given, |(_, value)| value);
        let (name, is_own) = (self.of(thing), thing == entry.actor);
        match entry.action.as_str() {
            "account.create" => "made the account".to_owned(),
            "account.set_plan" => format!("changed the plan to {given}"),
            "account.set_retention" if given == "as the plan" => "keeps data as long as the plan does".to_owned(),
            "account.set_retention" => format!("changed how long data is kept to {}", days(given)),
            "user.create" => format!("added {name}"),
            "user.change_password" => "changed their own password".to_owned(),
            "user.set_password" if is_own => "changed their own password".to_owned(),
            "user.set_password" => format!("gave {name} a new password"),
            "user.set_role" => format!("made {name} {} {given}", article(given)),
            "user.disable" => format!("disabled {name}"),
            "user.enable" => format!("enabled {name} again"),
            "session.create" => "signed in".to_owned(),
            "session.refuse" => format!("tried to sign in as {name} and was refused"),
            "session.end" => "ended a session".to_owned(),
            "api_key.create" => format!("made the API key {name}"),
            "api_key.revoke" => format!("revoked the API key {name}"),
            "api_key.roll" => match object.split_once(" to ") {
                Some((old, new)) => format!("rolled the API key {} over to {}", self.of(old), self.of(new)),
                None => format!("rolled the API key {name}"),
            },
            "enrolment.create" => format!("made the {name}"),
            "enrolment.revoke" => format!("revoked the {name}"),
            "agent.enroll" => format!("enrolled the {name}"),
            "agent.edit" => format!("changed the name or labels of the {name}"),
            "agent.disable" => format!("disabled the {name}"),
            "agent.enable" => format!("enabled the {name} again"),
            "agent.delete" => format!("deleted the {name} with its data"),
            "alert_rule.create" => format!("made the {name}"),
            "alert_rule.update" => format!("changed the {name}"),
            "alert_rule.enable" => format!("switched the {name} on"),
            "alert_rule.disable" => format!("switched the {name} off"),
            "alert_rule.delete" => format!("deleted the {name}"),
            "alert_channel.create" => format!("made the {name}"),
            "alert_channel.delete" => format!("deleted the {name}"),
            other => format!("{} {object}", other.replace(['.', '_'], " ")).trim().to_owned(),
        }
    }
}

/// `grafana (astra_abcd…)`, in quotation marks since people choose it.
fn key_name(key: &ApiKeyRecord) -> String {
    format!("“{}” (astra_{}…)", key.name, key.hint.as_str())
}

/// `31/400/1100` as a person reads it.
fn days(text: &str) -> String {
    match text.split('/').collect::<Vec<_>>()[..] {
        [raw, hourly, daily] => {
            format!("{raw} days of samples, {hourly} of hourly and {daily} of daily summaries")
        }
        _ => text.to_owned(),
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use astranetmon_auth::{KeyHint, PermissionSet, TokenHint};
    use astranetmon_domain::{
        AccountId, AgentFacts, AgentId, ApiKeyId, EnrolmentId, EnrolmentTerms, QuotaWindowId, Timestamp, UserId,
        UserRole,
    };

    use super::*;

    #[test]
    fn every_known_action_is_a_sentence() {
        let at = Timestamp::from_seconds(0);
        let user = User {
            id: UserId(3),
            account_id: AccountId(1),
            email: "ada@example.com".parse().expect("an address"),
            role: UserRole::Owner,
            created_at: at,
            disabled_at: None,
        };
        let key = ApiKeyRecord {
            id: ApiKeyId(7),
            account_id: AccountId(1),
            window_id: QuotaWindowId(1),
            name: "grafana".to_owned(),
            hint: KeyHint::from_stored("a1B2".to_owned()),
            permissions: PermissionSet::ALL,
            created_at: at,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        let terms = EnrolmentTerms::new("rack 7", None, BTreeMap::new(), 1, at.plus_seconds(60), at).expect("terms");
        let enrolment = EnrolmentRecord {
            id: EnrolmentId(4),
            account_id: AccountId(1),
            hint: TokenHint::from_stored("c3D4".to_owned()),
            terms,
            use_count: 0,
            last_used_at: None,
            created_at: at,
            revoked_at: None,
        };
        let agent = Agent {
            id: AgentId::parse("web-1").expect("an id"),
            facts: AgentFacts { hostname: "web-1".to_owned(), ..AgentFacts::default() },
            name: Some("front door".to_owned()),
            last_seen_at: None,
            created_at: at,
            disabled_at: None,
            public_ip: None,
            labels: BTreeMap::new(),
        };
        let names = Names::new(&[user]).with_keys(&[key]).with_agents(&[agent]).with_enrolments(&[enrolment]);
        for (actor, action, object, expected) in [
            ("system:command line", "account.create", "account:1", "Operator, at the command line made the account"),
            ("system:demonstration", "user.create", "user:3", "Server (demonstration) added ada@example.com"),
            (
                "user:3",
                "account.set_plan",
                "account:1 plan:enterprise",
                "ada@example.com changed the plan to enterprise",
            ),
            ("user:3", "user.set_role", "user:9 role:admin", "ada@example.com made user 9 an admin"),
            ("user:9", "user.set_role", "user:3 role:viewer", "user 9 made ada@example.com a viewer"),
            ("user:3", "user.set_password", "user:3", "ada@example.com changed their own password"),
            ("user:9", "user.set_password", "user:3", "user 9 gave ada@example.com a new password"),
            ("user:3", "session.create", "session:1", "ada@example.com signed in"),
            (
                "address:192.0.2.1",
                "session.refuse",
                "user:3",
                "Somebody at 192.0.2.1 tried to sign in as ada@example.com and was refused",
            ),
            ("user:3", "api_key.create", "key:7", "ada@example.com made the API key “grafana” (astra_a1B2…)"),
            (
                "user:3",
                "api_key.roll",
                "key:7 to key:8",
                "ada@example.com rolled the API key “grafana” (astra_a1B2…) over to key 8",
            ),
            ("user:3", "alert_rule.disable", "alert_rule:42", "ada@example.com switched the alert rule 42 off"),
            (
                "user:3",
                "enrolment.create",
                "enrolment:4",
                "ada@example.com made the enrolment token “rack 7” (astra_enroll_c3D4…)",
            ),
            (
                "enrolment:4",
                "agent.enroll",
                "agent:web-1",
                "Enrolment token “rack 7” (astra_enroll_c3D4…) enrolled the agent “front door” (web-1)",
            ),
            ("enrolment:9", "agent.enroll", "agent:x", "Enrolment token 9 enrolled the agent x"),
            ("user:3", "agent.delete", "agent:gone", "ada@example.com deleted the agent gone with its data"),
            ("user:3", "agent.disable", "agent:web-1", "ada@example.com disabled the agent “front door” (web-1)"),
            (
                "user:3",
                "account.set_retention",
                "account:1 days:7/30/365",
                "ada@example.com changed how long data is kept to 7 days of samples, 30 of hourly and 365 of daily \
                 summaries",
            ),
            (
                "user:3",
                "account.set_retention",
                "account:1 days:as the plan",
                "ada@example.com keeps data as long as the plan does",
            ),
            ("key:7", "data.export", "account:1", "API key “grafana” (astra_a1B2…) data export account:1"),
            ("somebody", "x", "", "somebody x"),
        ] {
            let (actor, action, object) = (actor.to_owned(), action.to_owned(), object.to_owned());
            let entry = AuditEntry { at, actor, action, object };
            assert_eq!(format!("{} {}", names.actor(&entry), names.deed(&entry)), expected);
        }
    }
}
