//! The server's side of a speed test, by the protocol of LibreSpeed: for agents of ours that have no server nearer.
//! Off by default, since it takes all the bandwidth that there is.

pub(super) mod empty;
pub(super) mod garbage;
pub(super) mod get_ip;
mod seats;

pub(crate) use seats::SpeedtestSeats;

use super::Agent;
use crate::ApiError;
use crate::state::ApiState;

// In the document alone, where `[u8]` would be a list of numbers.
/// Bytes as they are.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "never made: bodies pass as they are")]
pub(super) struct AnyBytes(Vec<u8>);

const MEBIBYTE: u64 = 1024 * 1024;

/// Refuses where nobody has switched it on.
fn must_be_on(state: &ApiState) -> Result<(), ApiError> {
    if state.settings.speedtest_server { Ok(()) } else { Err(ApiError::NotFound) }
}

/// The agent's seat, for as long as its transfer takes.
fn seat(state: &ApiState, agent: &Agent) -> Result<seats::Seat, ApiError> {
    must_be_on(state)?;
    let principal = agent.principal();
    let caller = (principal.account_id, principal.agent_id.clone());
    state.speedtest_seats.enter(caller, state.clock.now()).ok_or(ApiError::SpeedtestBusy)
}
