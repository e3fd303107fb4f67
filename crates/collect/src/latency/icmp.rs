use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::echo::{self, EchoIdentity};
use super::{Probed, is_unreachable};
use crate::address::system_text;

/// Sends ICMP echo to one target.
pub(super) struct IcmpProber {
    target: IpAddr,
    identity: EchoIdentity,
    socket: UdpSocket,
}

/// Tells the probers of one process apart.
static PROBERS: AtomicU32 = AtomicU32::new(0);

impl IcmpProber {
    /// Opens the socket that needs no right if the system has such, else a raw one.
    ///
    /// # Errors
    /// A sentence: neither is allowed.
    pub(super) fn open(target: IpAddr) -> Result<Self, String> {
        let number = PROBERS.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let mut cookie = [0; 8];
        cookie[..4].copy_from_slice(&process.to_be_bytes());
        cookie[4..].copy_from_slice(&number.to_be_bytes());
        let identity = EchoIdentity { identifier: ((process ^ number) & 0xffff) as u16, cookie };
        let socket = open(target, Type::DGRAM)
            .or_else(|_| open(target, Type::RAW))
            .map_err(|error| format!("ICMP cannot be sent to {target}: {}.", system_text(&error)))?;
        Ok(Self { target, identity, socket })
    }

    pub(super) async fn probe(&self, sequence: u16) -> Probed {
        let packet = echo::request(self.target, self.identity, sequence);
        // Receives from the target only, and learns of what the network says against it. Anew for each probe, since the
        // route may have changed, or have come only now.
        if let Err(error) = self.socket.connect(SocketAddr::new(self.target, 0)).await {
            return unsent(self.target, &error);
        }
        let started = Instant::now();
        if let Err(error) = self.socket.send(&packet).await {
            return unsent(self.target, &error);
        }
        let mut answer = [0; echo::LARGEST_ANSWER];
        loop {
            match self.socket.recv(&mut answer).await {
                Ok(length) => {
                    let after = started.elapsed().max(Duration::from_nanos(1));
                    // Late answers to former probes are passed over: those were counted as lost.
                    if echo::answered_sequence(self.target, self.identity, &answer[..length]) == Some(sequence) {
                        return Probed::Answered(after);
                    }
                }
                Err(error) => {
                    return Probed::Lost(format!("{} was not reached: {}.", self.target, system_text(&error)));
                }
            }
        }
    }
}

fn unsent(target: IpAddr, error: &io::Error) -> Probed {
    let sentence = format!("ICMP cannot be sent to {target}: {}.", system_text(error));
    if is_unreachable(error) { Probed::Lost(sentence) } else { Probed::NotSent(sentence) }
}

/// Its type is UDP's, since both are datagrams to the system.
fn open(target: IpAddr, kind: Type) -> io::Result<UdpSocket> {
    let (domain, protocol) = match target {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let socket = Socket::new(domain, kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(StdUdpSocket::from(socket))
}
