//! Where a walk through a list stands, as text that only this service can write.
//!
//! base64url of a payload and the first 16 bytes of an HMAC-SHA-256 over the walk and the payload. The walk (account,
//! endpoint and filters as they were written) is not inside: a cursor brought to another walk fails its check.

use std::sync::Arc;

use astranetmon_domain::{AccountId, AgentId, MetricPosition, RecordPosition, TimeRange, Timestamp};
use astranetmon_storage::{AggregatePosition, ArrivalPosition};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

const TAG_LENGTH: usize = 16;
/// The first byte of a payload; another layout takes another number.
const LAYOUT: u8 = 1;

/// What a cursor is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk<'a> {
    /// Whose records.
    pub(crate) account_id: AccountId,
    /// The path of the list.
    pub(crate) path: &'a str,
    /// Agent, start and end, as the caller wrote them.
    pub(crate) filters: [Option<&'a str>; 3],
    /// Names and values of all other filters.
    pub(crate) others: &'a [(&'a str, &'a str)],
}

/// A place in the order of a list.
pub(crate) trait Position: std::fmt::Debug + Sized {
    /// Appends the place to a payload.
    fn write(&self, payload: &mut Vec<u8>);
    /// Takes the place from a payload.
    fn read(payload: &mut Payload<'_>) -> Option<Self>;
}

/// Where a walk stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor<P> {
    /// The range as it was resolved when the walk began, so that relative dates stand still.
    pub(crate) range: TimeRange,
    /// The last row of the page before.
    pub(crate) after: P,
}

impl<P: Position> Cursor<P> {
    /// The cursor as text.
    pub(crate) fn write(&self, key: &[u8; 32], walk: Walk<'_>) -> String {
        let mut bytes = vec![LAYOUT];
        for moment in [self.range.start, self.range.end] {
            bytes.push(u8::from(moment.is_some()));
            bytes.extend(moment.unwrap_or(Timestamp::MIN).as_micros().to_be_bytes());
        }
        self.after.write(&mut bytes);
        let tag = signature(key, walk, &bytes).finalize().into_bytes();
        bytes.extend(&tag[..TAG_LENGTH]);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor behind the text; `None` if this service did not write it for this walk.
    pub(crate) fn read(text: &str, key: &[u8; 32], walk: Walk<'_>) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (payload, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_LENGTH)?)?;
        signature(key, walk, payload).verify_truncated_left(tag).ok()?;
        let mut payload = Payload(payload);
        if payload.byte()? != LAYOUT {
            return None;
        }
        let start = payload.optional_timestamp()?;
        let end = payload.optional_timestamp()?;
        Some(Self { range: TimeRange { start, end }, after: P::read(&mut payload)? })
    }
}

fn signature(key: &[u8; 32], walk: Walk<'_>, payload: &[u8]) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    // Lengths stand before texts, so that no two walks are signed alike.
    mac.update(&walk.account_id.0.to_be_bytes());
    let others = walk.others.iter().flat_map(|(name, value)| [Some(*name), Some(*value)]);
    for text in [Some(walk.path)].into_iter().chain(walk.filters).chain(others) {
        mac.update(&text.map_or(u64::MAX, |text| text.len() as u64).to_be_bytes());
        mac.update(text.unwrap_or_default().as_bytes());
    }
    mac.update(payload);
    mac
}

/// What is left of a payload while it is read.
pub(crate) struct Payload<'a>(&'a [u8]);

impl<'a> Payload<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn timestamp(&mut self) -> Option<Timestamp> {
        self.take().map(i64::from_be_bytes).map(Timestamp::from_micros)
    }

    fn optional_timestamp(&mut self) -> Option<Option<Timestamp>> {
        let known = self.byte()? == 1;
        Some(Some(self.timestamp()?).filter(|_| known))
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = u16::from_be_bytes(self.take()?);
        let (text, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn agent_id(&mut self) -> Option<AgentId> {
        AgentId::parse(self.text()?).ok()
    }
}

fn write_text(text: &str, payload: &mut Vec<u8>) {
    // Hostnames have at most 253 characters and ids 64 bytes.
    payload.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    payload.extend(text.bytes().take(usize::from(u16::MAX)));
}

impl Position for MetricPosition {
    fn write(&self, payload: &mut Vec<u8>) {
        payload.extend(self.timestamp.as_micros().to_be_bytes());
        write_text(self.agent_id.as_str(), payload);
    }

    fn read(payload: &mut Payload<'_>) -> Option<Self> {
        Some(Self { timestamp: payload.timestamp()?, agent_id: payload.agent_id()? })
    }
}

impl Position for RecordPosition {
    fn write(&self, payload: &mut Vec<u8>) {
        payload.extend(self.timestamp.as_micros().to_be_bytes());
        write_text(self.agent_id.as_str(), payload);
        payload.extend(self.id.as_bytes());
    }

    fn read(payload: &mut Payload<'_>) -> Option<Self> {
        let (timestamp, agent_id) = (payload.timestamp()?, payload.agent_id()?);
        Some(Self { timestamp, agent_id, id: Uuid::from_bytes(payload.take()?) })
    }
}

impl Position for AggregatePosition {
    fn write(&self, payload: &mut Vec<u8>) {
        payload.extend(self.start.as_micros().to_be_bytes());
        payload.push(u8::from(self.group.is_some()));
        write_text(self.group.as_deref().unwrap_or_default(), payload);
    }

    fn read(payload: &mut Payload<'_>) -> Option<Self> {
        let (start, named) = (payload.timestamp()?, payload.byte()? == 1);
        Some(Self { start, group: Some(payload.text()?).filter(|_| named).map(Arc::from) })
    }
}

impl Position for ArrivalPosition {
    fn write(&self, payload: &mut Vec<u8>) {
        payload.extend(self.0.to_be_bytes());
    }

    fn read(payload: &mut Payload<'_>) -> Option<Self> {
        payload.take().map(i64::from_be_bytes).map(Self)
    }
}

/// Where an agent stands in the order by hostname, then id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AgentPosition {
    pub(crate) hostname: String,
    pub(crate) id: AgentId,
}

impl Position for AgentPosition {
    fn write(&self, payload: &mut Vec<u8>) {
        write_text(&self.hostname, payload);
        write_text(self.id.as_str(), payload);
    }

    fn read(payload: &mut Payload<'_>) -> Option<Self> {
        Some(Self { hostname: payload.text()?.to_owned(), id: payload.agent_id()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const WALK: Walk<'_> = Walk {
        account_id: AccountId(1),
        path: "/api/v1/metrics",
        filters: [Some("a"), Some("-7d"), None],
        others: &[("label", "site:ber")],
    };

    fn cursor() -> Cursor<RecordPosition> {
        Cursor {
            range: TimeRange { start: Some(Timestamp::from_seconds(-5)), end: None },
            after: RecordPosition {
                timestamp: Timestamp::from_micros(1_795_433_218_123_000),
                agent_id: AgentId::parse("agent-123").expect("valid"),
                id: Uuid::from_u128(9),
            },
        }
    }

    #[test]
    fn a_cursor_is_read_back_in_its_own_walk_only() {
        let text = cursor().write(&KEY, WALK);
        assert_eq!(Cursor::read(&text, &KEY, WALK), Some(cursor()));
        for other in [
            Walk { account_id: AccountId(2), ..WALK },
            Walk { path: "/api/v1/speedtests", ..WALK },
            Walk { filters: [Some("b"), Some("-7d"), None], ..WALK },
            Walk { filters: [Some("a"), None, Some("-7d")], ..WALK },
            Walk { filters: [None, Some("a-7d"), None], ..WALK },
            Walk { filters: [Some("a"), Some("-7d"), Some("")], ..WALK },
            Walk { others: &[], ..WALK },
            Walk { others: &[("label", "site:fra")], ..WALK },
            Walk { others: &[("label", "site:ber"), ("label", "site:ber")], ..WALK },
        ] {
            assert_eq!(Cursor::<RecordPosition>::read(&text, &KEY, other), None, "{other:?}");
        }
        assert_eq!(Cursor::<RecordPosition>::read(&text, &[8; 32], WALK), None);
    }

    #[test]
    fn no_character_of_a_cursor_can_be_changed_added_or_left_out() {
        let text = cursor().write(&KEY, WALK);
        let refused = |text: &str| Cursor::<RecordPosition>::read(text, &KEY, WALK).is_none();
        for at in 0..text.len() {
            for new in ["A", "B", "_", "=", " ", ""] {
                let changed = format!("{}{new}{}", &text[..at], &text[at + 1..]);
                assert!(changed == text || refused(&changed), "{at} {new:?}");
            }
        }
        assert!(refused("") && refused("AAAA") && refused(&format!("{text}A")) && refused(&format!("{text}=")));
    }

    #[test]
    fn places_of_other_kinds_are_read_back_too() {
        let id = AgentId::parse("a").expect("valid");
        let agent = AgentPosition { hostname: "ä".repeat(253), id: id.clone() };
        let cursor = Cursor { range: TimeRange::ALL, after: agent };
        assert_eq!(Cursor::read(&cursor.write(&KEY, WALK), &KEY, WALK), Some(cursor));
        for group in [None, Some(Arc::from("")), Some(Arc::from("ber"))] {
            let aggregate = AggregatePosition { start: Timestamp::from_seconds(60), group };
            let cursor = Cursor { range: TimeRange::ALL, after: aggregate };
            assert_eq!(Cursor::read(&cursor.write(&KEY, WALK), &KEY, WALK), Some(cursor));
        }
        let cursor = Cursor { range: TimeRange::ALL, after: ArrivalPosition(1 << 40) };
        assert_eq!(Cursor::read(&cursor.write(&KEY, WALK), &KEY, WALK), Some(cursor));
        let metric = MetricPosition { timestamp: Timestamp::MIN, agent_id: id };
        let cursor = Cursor { range: TimeRange { start: None, end: Some(Timestamp::MAX) }, after: metric };
        assert_eq!(Cursor::read(&cursor.write(&KEY, WALK), &KEY, WALK), Some(cursor));
    }
}
