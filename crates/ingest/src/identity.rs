use astranetmon_domain::Timestamp;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// An id in the layout of UUIDv7 that follows from the content: the time, then 74 bits of SHA-256 over `parts`. The same
/// content has the same id wherever and whenever it is converted, so taking it twice changes nothing.
#[must_use]
pub(crate) fn derived_id(at: Timestamp, parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps apart what would look alike when joined.
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut bits = [0; 10];
    bits.copy_from_slice(&digest[..10]);
    let millis = u64::try_from(at.as_micros().div_euclid(1_000)).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, &bits).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_follows_from_time_and_content_alone() {
        let at = Timestamp::from_seconds(1_795_433_218);
        let id = derived_id(at, &[b"a", b"bc"]);
        assert_eq!(id, derived_id(at, &[b"a", b"bc"]));
        assert_eq!(id.get_version_num(), 7);
        assert!(id.to_string().starts_with("01a2"), "{id}");
        for other in
            [derived_id(at, &[b"ab", b"c"]), derived_id(at, &[b"abc"]), derived_id(at.plus_seconds(1), &[b"a", b"bc"])]
        {
            assert_ne!(id, other);
        }
        assert_eq!(derived_id(Timestamp::MIN, &[]).get_version_num(), 7);
    }
}
