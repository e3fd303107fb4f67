use astranetmon_auth::SetupHash;
use astranetmon_domain::Timestamp;

/// Where the offer stands among the settings.
pub(crate) const SETUP: &str = "setup";

/// The hash, then the time in microseconds, big-endian.
pub(crate) fn setup_offer_bytes(hash: &SetupHash, ends_at: Timestamp) -> Vec<u8> {
    [hash.as_bytes().as_slice(), &ends_at.as_micros().to_be_bytes()].concat()
}

/// Whether the stored offer is for the token of that hash, and still stands.
pub(crate) fn is_offered(stored: &[u8], hash: &SetupHash, now: Timestamp) -> bool {
    let Some((offered, ends_at)) = stored.split_first_chunk() else { return false };
    let Ok(ends_at) = ends_at.try_into().map(i64::from_be_bytes) else { return false };
    SetupHash::from_bytes(*offered) == *hash && now.as_micros() < ends_at
}
