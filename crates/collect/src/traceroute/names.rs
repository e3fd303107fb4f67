//! Names of addresses, from the system's resolver.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Names found before, and those being asked for.
pub(super) struct Names {
    known: HashMap<IpAddr, (Option<String>, Instant)>,
    /// A question cannot be taken back: one without an answer keeps its thread until the resolver gives up. So few may
    /// be open at a time, over all traces.
    open_questions: Arc<Semaphore>,
}

const MAX_OPEN_QUESTIONS: usize = 8;
/// Addresses that are remembered at most; then all are forgotten.
const MAX_KNOWN: usize = 4_096;
/// How long an answer holds, be it that there is no name.
const ANSWER_AGE: Duration = Duration::from_secs(3_600);

impl Names {
    pub(super) fn new() -> Self {
        Self { known: HashMap::new(), open_questions: Arc::new(Semaphore::new(MAX_OPEN_QUESTIONS)) }
    }

    /// Asks for what is not known yet, for at most `wait`.
    pub(super) async fn learn(&mut self, addresses: impl Iterator<Item = IpAddr>, wait: Duration) {
        if wait.is_zero() {
            return;
        }
        self.known.retain(|_, (_, at)| at.elapsed() < ANSWER_AGE);
        if self.known.len() >= MAX_KNOWN {
            self.known.clear();
        }
        let mut questions = JoinSet::new();
        let mut asked: Vec<IpAddr> = addresses.filter(|address| !self.known.contains_key(address)).collect();
        asked.sort_unstable();
        asked.dedup();
        for address in asked {
            let turn = Arc::clone(&self.open_questions);
            questions.spawn(async move {
                let turn = turn.acquire_owned().await.ok()?;
                let question = tokio::task::spawn_blocking(move || {
                    let answer = dns_lookup::lookup_addr(&address);
                    drop(turn);
                    answer
                });
                Some((address, question.await.ok()?))
            });
        }
        let answers = async {
            while let Some(answer) = questions.join_next().await {
                if let Ok(Some((address, name))) = answer {
                    self.known.insert(address, (name.ok(), Instant::now()));
                }
            }
        };
        // Who waits for a turn when the time is over is dropped with the set.
        let _ = tokio::time::timeout(wait, answers).await;
    }

    pub(super) fn get(&self, address: IpAddr) -> Option<&str> {
        self.known.get(&address)?.0.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_host_has_a_name_that_is_asked_for_once_and_only_if_there_is_time() {
        let mut names = Names::new();
        let local: IpAddr = "127.0.0.1".parse().expect("an address");
        names.learn([local].into_iter(), Duration::ZERO).await;
        assert_eq!(names.get(local), None);
        names.learn([local, local].into_iter(), Duration::from_secs(10)).await;
        assert!(names.get(local).is_some(), "/etc/hosts names it");
        let at = names.known[&local].1;
        names.learn([local].into_iter(), Duration::from_secs(10)).await;
        assert_eq!(names.known[&local].1, at);
    }
}
