use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use astranetmon_domain::{AccountId, AgentId, Timestamp};

/// How long a seat is kept for its agent between two transfers of a test, in seconds.
const KEPT_SECONDS: i64 = 5;

type Caller = (AccountId, AgentId);

/// Agents that may measure at a time: more would measure each other.
#[derive(Debug)]
pub(crate) struct SpeedtestSeats {
    most: usize,
    taken: Arc<Mutex<HashMap<Caller, Taken>>>,
}

#[derive(Debug)]
struct Taken {
    transfers: usize,
    /// When the last transfer began.
    at: Timestamp,
}

/// One transfer of an agent that has a seat.
#[derive(Debug)]
pub(crate) struct Seat {
    caller: Caller,
    taken: Arc<Mutex<HashMap<Caller, Taken>>>,
}

impl SpeedtestSeats {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// Begins a transfer at the time `now`; `None` if all seats are others'.
    pub(super) fn enter(&self, caller: Caller, now: Timestamp) -> Option<Seat> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.retain(|_, seat| seat.transfers > 0 || now <= seat.at.plus_seconds(KEPT_SECONDS));
        if !taken.contains_key(&caller) && taken.len() >= self.most {
            return None;
        }
        let seat = taken.entry(caller.clone()).or_insert(Taken { transfers: 0, at: now });
        seat.transfers += 1;
        seat.at = now;
        Some(Seat { caller, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = taken.get_mut(&self.caller) {
            seat.transfers = seat.transfers.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_has_one_seat_for_all_of_its_transfers_and_keeps_it_between_them() {
        let seats = SpeedtestSeats::new(1);
        let agent = |name: &str| (AccountId(1), AgentId::parse(name).expect("an id"));
        let at = Timestamp::from_seconds;
        let first = seats.enter(agent("a"), at(0)).expect("free");
        let second = seats.enter(agent("a"), at(10)).expect("its own");
        assert!(seats.enter(agent("b"), at(10)).is_none());
        drop((first, second));
        assert!(seats.enter(agent("b"), at(15)).is_none());
        assert!(seats.enter((AccountId(2), agent("a").1), at(15)).is_none());
        assert!(seats.enter(agent("b"), at(16)).is_some());
    }
}
