use astranetmon_domain::{Agent, Timestamp};

use crate::format;

/// What is known of an agent's host: names and values, those that are known.
pub(super) fn facts(agent: &Agent, now: Timestamp) -> Vec<(&'static str, String)> {
    let facts = &agent.facts;
    let joined = |parts: [Option<&str>; 2]| {
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        (!text.is_empty()).then_some(text)
    };
    let cores = facts.cpu_core_count.map(|count| match count {
        1 => "1 core".to_owned(),
        count => format!("{count} cores"),
    });
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let memory = facts.memory_total_bytes.map(|bytes| format::bytes(bytes as f64));
    let up = facts.boot_time.map(|boot| (now.as_seconds() - boot.as_seconds()).max(0)).map(format::largest_unit);
    let addresses = (!facts.ip_addresses.is_empty()).then(|| facts.ip_addresses.join(", "));
    [
        ("Hostname", Some(facts.hostname.clone()).filter(|name| !name.is_empty())),
        ("System", joined([facts.os.as_deref(), facts.os_version.as_deref()])),
        ("Kernel", joined([facts.kernel_version.as_deref(), facts.arch.as_deref()])),
        ("Processor", joined([facts.cpu_model.as_deref(), None])),
        ("Cores", cores),
        ("Memory", memory),
        ("Up for", up),
        ("Addresses", addresses),
        ("Seen from", agent.public_ip.clone()),
        ("Reports every", facts.interval_seconds.map(|seconds| format::largest_unit(i64::from(seconds)))),
        ("Agent version", facts.agent_version.clone()),
        ("Agent id", Some(agent.id.to_string())),
        ("Added", Some(format::full_time(agent.created_at))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}
