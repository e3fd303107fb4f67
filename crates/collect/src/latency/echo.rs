//! ICMP echo packets (RFC 792, RFC 4443). Own ones: crates that ping bring a framework of packets for these 16 bytes.

use std::net::IpAddr;

/// Bytes of header: type, code, checksum, identifier, sequence.
const HEADER: usize = 8;
/// Bytes of payload: the identity.
const PAYLOAD: usize = 8;
/// Bytes of a request.
pub(super) const REQUEST: usize = HEADER + PAYLOAD;
/// More than any answer to a request, with the longest IPv4 header before it.
pub(super) const LARGEST_ANSWER: usize = 60 + REQUEST + 64;

/// What tells one prober's answers from those of every other program on this host. The identifier alone does not:
/// unprivileged sockets have it rewritten, and other programs choose theirs as they like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EchoIdentity {
    pub(super) identifier: u16,
    pub(super) cookie: [u8; PAYLOAD],
}

/// An echo request. The checksum of IPv6 covers addresses and is left to the kernel, as RFC 3542 has it.
pub(super) fn request(target: IpAddr, identity: EchoIdentity, sequence: u16) -> [u8; REQUEST] {
    let mut packet = [0; REQUEST];
    packet[0] = if target.is_ipv4() { 8 } else { 128 };
    packet[4..6].copy_from_slice(&identity.identifier.to_be_bytes());
    packet[6..8].copy_from_slice(&sequence.to_be_bytes());
    packet[HEADER..].copy_from_slice(&identity.cookie);
    if target.is_ipv4() {
        let checksum = checksum(&packet).to_be_bytes();
        packet[2..4].copy_from_slice(&checksum);
    }
    packet
}

/// The sequence that an answer is for; `None` if the packet is no answer to this prober.
pub(super) fn answered_sequence(target: IpAddr, identity: EchoIdentity, packet: &[u8]) -> Option<u16> {
    let reply = if target.is_ipv4() { 0 } else { 129 };
    let packet = if target.is_ipv4() { without_ip_header(packet)? } else { packet };
    let header: &[u8; HEADER] = packet.first_chunk()?;
    let cookie = packet.get(HEADER..REQUEST)?;
    (header[0] == reply && header[1] == 0 && cookie == identity.cookie)
        .then(|| u16::from_be_bytes([header[6], header[7]]))
}

/// Raw sockets give the IPv4 header too, and so do unprivileged ones of macOS; those of Linux do not. An echo reply
/// begins with 0, a header with 4.
fn without_ip_header(packet: &[u8]) -> Option<&[u8]> {
    let first = *packet.first()?;
    if first >> 4 == 4 { packet.get(usize::from(first & 0x0f) * 4..) } else { Some(packet) }
}

/// RFC 1071.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: EchoIdentity = EchoIdentity { identifier: 0x1234, cookie: *b"cookie-1" };
    const V4: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

    #[test]
    fn a_request_has_its_type_identity_sequence_and_in_ipv4_a_right_checksum() {
        let packet = request(V4, IDENTITY, 258);
        assert_eq!(packet[..2], [8, 0]);
        assert_eq!(packet[4..8], [0x12, 0x34, 1, 2]);
        assert_eq!(checksum(&packet), 0, "the sum over a packet with its checksum is nothing");
        let packet = request(V6, IDENTITY, 258);
        assert_eq!(packet[..4], [128, 0, 0, 0]);
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2, "RFC 1071 §3");
    }

    #[test]
    fn only_an_answer_to_the_prober_itself_counts() {
        let answer = |kind: u8, identity| {
            let mut packet = request(V4, identity, 7).to_vec();
            packet[0] = kind;
            packet
        };
        let with_ip_header = |packet: Vec<u8>| [[0x45; 20].to_vec(), packet].concat();
        let other = EchoIdentity { cookie: *b"cookie-2", ..IDENTITY };
        let rewritten = EchoIdentity { identifier: 9, ..IDENTITY };
        for (what, target, packet, expected) in [
            ("IPv4", V4, answer(0, IDENTITY), Some(7)),
            ("IPv4 with its header", V4, with_ip_header(answer(0, IDENTITY)), Some(7)),
            ("IPv6", V6, answer(129, IDENTITY), Some(7)),
            ("an identifier that the kernel chose", V4, answer(0, rewritten), Some(7)),
            ("a request", V4, answer(8, IDENTITY), None),
            ("unreachable", V4, answer(3, IDENTITY), None),
            ("the other version's answer", V6, answer(0, IDENTITY), None),
            ("another prober's", V4, answer(0, other), None),
            ("a short one", V4, answer(0, IDENTITY)[..15].to_vec(), None),
            ("half a header", V4, vec![0x45; 19], None),
            ("nothing", V4, Vec::new(), None),
        ] {
            assert_eq!(answered_sequence(target, IDENTITY, &packet), expected, "{what}");
        }
    }
}
