use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

macro_rules! secret_hashes {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name([u8; 32]);

        impl $name {
            pub(crate) fn of(secret: &str) -> Self {
                Self(Sha256::digest(secret.as_bytes()).into())
            }

            /// From storage.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// For storage.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        /// In constant time.
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.ct_eq(&other.0).into()
            }
        }

        impl Eq for $name {}

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

secret_hashes! {
    /// SHA-256 of an API key: the only form that storage can take. A plain hash is enough for 178 random bits
    /// (OWASP ASVS 5.0 §6.5.2).
    KeyHash;
    /// SHA-256 of a session's token: the only form that storage can take.
    SessionHash;
    /// SHA-256 of the token that makes the first owner: the only form that storage can take.
    SetupHash;
    /// SHA-256 of a token that enrols agents: the only form that storage can take.
    EnrolmentHash;
    /// SHA-256 of an agent's token: the only form that storage can take.
    AgentTokenHash;
}
