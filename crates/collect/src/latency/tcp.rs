use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

use super::{Probed, is_unreachable};
use crate::address::system_text;

/// The time until the target accepts or refuses a connection.
pub(super) async fn probe(target: SocketAddr) -> Probed {
    let socket = if target.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    let socket = match socket {
        Ok(socket) => socket,
        Err(error) => return Probed::NotSent(format!("No TCP socket could be opened: {}.", system_text(&error))),
    };
    let started = Instant::now();
    let connected = socket.connect(target).await;
    let after = started.elapsed().max(Duration::from_nanos(1));
    match connected {
        Ok(stream) => {
            drop(stream);
            Probed::Answered(after)
        }
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset) => {
            Probed::Answered(after)
        }
        Err(error) => {
            let sentence = format!("{target} could not be connected to: {}.", system_text(&error));
            let lost = is_unreachable(&error) || error.kind() == ErrorKind::TimedOut;
            if lost { Probed::Lost(sentence) } else { Probed::NotSent(sentence) }
        }
    }
}
