use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};

use crate::Failure;

/// A generator for secrets, seeded by the operating system.
pub(crate) fn seeded_by_system() -> Result<StdRng, Failure> {
    StdRng::try_from_rng(&mut SysRng)
        .map_err(|error| Failure::caused("the operating system gives no random numbers", &error))
}
