use rand::TryRng;
use rand::rngs::SysRng;

use uuid::Uuid;

use astranetmon_domain::Timestamp;

use crate::StorageError;

/// Bytes from the operating system's generator.
pub(crate) fn random_bytes<const N: usize>() -> Result<[u8; N], StorageError> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| StorageError::Internal {
        context: "asking the operating system for random bytes",
        source: Some(Box::new(error)),
    })?;
    Ok(bytes)
}

/// The first of the UUIDv7 ids of a moment and of those behind it.
pub(crate) fn first_id(at: Timestamp) -> Uuid {
    let millis = u128::try_from(at.as_micros() / 1_000).unwrap_or(0);
    Uuid::from_u128(millis << 80)
}

/// An id that no other has: a UUIDv7.
pub(crate) fn fresh_id(now: Timestamp) -> Result<Uuid, StorageError> {
    let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes()?).into_uuid())
}
