use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{SessionHash, SetupHash};

/// Random bytes of a token.
const TOKEN_BYTES: usize = 32;

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token")]
pub struct MalformedToken;

macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident => $hash:ident;)*) => {$(
        $(#[$doc])*
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Length in bytes, of `[A-Za-z0-9_-]`.
            pub const LENGTH: usize = (TOKEN_BYTES * 8).div_ceil(6);

            /// Makes a token.
            pub fn generate(rng: &mut impl CryptoRng) -> Self {
                let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
                rng.fill_bytes(bytes.as_mut());
                Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes)))
            }

            /// Takes presented text of the right form.
            ///
            /// # Errors
            /// [`MalformedToken`] for any other text.
            pub fn parse(text: &str) -> Result<Self, MalformedToken> {
                let well_formed = text.len() == Self::LENGTH
                    && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
                if well_formed { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(MalformedToken) }
            }

            /// The secret, for its owner.
            #[must_use]
            pub fn reveal(&self) -> &str {
                &self.0
            }

            /// What storage keeps.
            #[must_use]
            pub fn hash(&self) -> $hash {
                $hash::of(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    )*};
}

tokens! {
    /// What a signed-in browser holds: 256 random bits. Wiped when dropped, never printed by `Debug`.
    SessionToken => SessionHash;
    /// What makes the first owner: 256 random bits. Wiped when dropped, never printed by `Debug`.
    SetupToken => SetupHash;
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_token_is_43_characters_that_are_read_back_and_never_printed() {
        let token = SessionToken::generate(&mut StdRng::seed_from_u64(1));
        let text = token.reveal();
        assert_eq!(text.len(), 43);
        assert_eq!(SessionToken::parse(text).expect("well-formed").hash(), token.hash());
        assert_ne!(SessionToken::generate(&mut StdRng::seed_from_u64(2)).hash(), token.hash());
        assert_eq!(format!("{token:?} {:?}", token.hash()), "SessionToken(…) SessionHash(…)");
        for wrong in
            ["", &text[1..], &format!("{text}x"), &text.replace(&text[..1], "+"), &text.replace(&text[..1], "ä")]
        {
            assert_eq!(SessionToken::parse(wrong).err(), Some(MalformedToken), "{wrong}");
        }
    }
}
