use rand::TryRng;
use rand::rngs::SysRng;

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
