//! Loads the week before the demonstration's first start.

use std::io::IsTerminal;

use astranetmon_domain::{MetricSample, Speedtest, Timestamp, Traceroute};
use astranetmon_storage::Storage;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;

use super::fleet::SyntheticAgent;
use super::live::Fleet;
use crate::{Failure, OutputFormat};

/// Rows of one transaction: big enough that its cost does not count.
const BATCH_ROWS: usize = 5_040;
/// Batches that are made ahead of the one being stored.
const BATCHES_AHEAD: usize = 2;

/// Some rows of one account.
enum Batch {
    Metrics(Vec<MetricSample>),
    Speedtests(Vec<Speedtest>),
    Traceroutes(Vec<Traceroute>),
}

impl Batch {
    fn len(&self) -> usize {
        match self {
            Self::Metrics(rows) => rows.len(),
            Self::Speedtests(rows) => rows.len(),
            Self::Traceroutes(rows) => rows.len(),
        }
    }
}

/// Stores what the fleets measured from `start` on and before `end`. Loading twice changes nothing.
pub(super) async fn load(
    storage: &dyn Storage,
    fleets: &[Fleet],
    (start, end): (Timestamp, Timestamp),
    format: OutputFormat,
) -> Result<(), Failure> {
    register(storage, fleets, end, start).await?;
    let (batches, mut made) = mpsc::channel(BATCHES_AHEAD);
    let agents: Vec<_> = fleets
        .iter()
        .enumerate()
        .flat_map(|(fleet, each)| each.agents.iter().map(move |agent| (fleet, agent.clone())))
        .collect();
    let expected: u64 = agents.iter().map(|(_, agent)| expected_rows(agent, start, end)).sum();
    // Made beside the storing of the batches before: both are work of seconds.
    let making = tokio::task::spawn_blocking(move || {
        for (fleet, agent) in agents {
            for batch in batches_of(&agent, start, end) {
                if batches.blocking_send((fleet, batch)).is_err() {
                    return;
                }
            }
        }
    });
    let progress = progress_bar(expected, format);
    while let Some((fleet, batch)) = made.recv().await {
        let (scope, rows) = (fleets[fleet].scope(), batch.len());
        match batch {
            Batch::Metrics(samples) => storage.metric_append(&scope, samples, end).await?,
            Batch::Speedtests(speedtests) => storage.speedtest_append(&scope, speedtests, end).await?,
            Batch::Traceroutes(traceroutes) => storage.traceroute_append(&scope, traceroutes, end).await?,
        };
        progress.inc(rows as u64);
    }
    making.await.map_err(|error| Failure::caused("the history could not be made", &error))?;
    progress.finish_and_clear();
    for fleet in fleets {
        for agent in &fleet.agents {
            if let Some(seen) = last_seen(agent, start, end) {
                storage.agent_seen(&fleet.scope(), &agent.id, seen).await?;
            }
        }
    }
    Ok(())
}

/// Adds the agents, or renews what they say of themselves, as it is at the time `at`.
pub(super) async fn register(
    storage: &dyn Storage,
    fleets: &[Fleet],
    at: Timestamp,
    now: Timestamp,
) -> Result<(), Failure> {
    for fleet in fleets {
        for agent in &fleet.agents {
            storage.agent_upsert(&fleet.scope(), &agent.new_agent(at), now).await?;
        }
    }
    Ok(())
}

fn batches_of(agent: &SyntheticAgent, start: Timestamp, end: Timestamp) -> impl Iterator<Item = Batch> {
    let first = agent.metric_cadence().at_or_after(start);
    let samples: Vec<_> = agent
        .metric_cadence()
        .between(start, end)
        .filter_map(|at| if at == first { agent.first_metric_at(at) } else { agent.metric_at(at) })
        .collect();
    let speedtests = agent.speedtest_cadence().between(start, end).filter_map(|at| agent.speedtest_at(at)).collect();
    let traceroutes = agent.traceroute_cadence().between(start, end).flat_map(|at| agent.traceroutes_at(at)).collect();
    let mut samples = samples.into_iter();
    let metrics = std::iter::from_fn(move || {
        let batch: Vec<_> = samples.by_ref().take(BATCH_ROWS).collect();
        (!batch.is_empty()).then_some(Batch::Metrics(batch))
    });
    metrics.chain([Batch::Speedtests(speedtests), Batch::Traceroutes(traceroutes)])
}

fn expected_rows(agent: &SyntheticAgent, start: Timestamp, end: Timestamp) -> u64 {
    let span = end.as_micros() - start.as_micros();
    let each = |period: i64| u64::try_from(span / period).unwrap_or(0);
    each(agent.metric_cadence().period_micros())
        + each(agent.speedtest_cadence().period_micros())
        + 2 * each(agent.traceroute_cadence().period_micros())
}

fn last_seen(agent: &SyntheticAgent, start: Timestamp, end: Timestamp) -> Option<Timestamp> {
    agent.metric_cadence().between(start, end).filter(|&at| agent.is_reporting(at)).last()
}

/// A bar where somebody watches; elsewhere it would only fill a file.
fn progress_bar(rows: u64, format: OutputFormat) -> ProgressBar {
    if format == OutputFormat::Text {
        if std::io::stderr().is_terminal() {
            let style =
                ProgressStyle::with_template("Loading seven days of history {wide_bar} {human_pos}/{human_len}");
            return ProgressBar::new(rows).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        eprintln!("Loading seven days of history: about {rows} rows");
    }
    ProgressBar::hidden()
}
