use std::fmt;

use rand::CryptoRng;
use zeroize::Zeroizing;

use crate::{KeyHash, checked_secret};

const PREFIX: &str = "astra_";

/// A whole API key: the secret itself. Shown once, wiped when dropped, never printed by `Debug`.
pub struct ApiKey(Zeroizing<String>);

/// The text is no API key: wrong prefix, length, alphabet or checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an API key")]
pub struct MalformedKey;

impl ApiKey {
    /// Length in bytes.
    pub const LENGTH: usize = checked_secret::length(PREFIX);

    /// Makes a key of 178 random bits.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(checked_secret::generate(PREFIX, rng))
    }

    /// Takes presented text whose form and checksum are right. The checksum catches typing errors and lets scanners
    /// find leaked keys; it proves nothing.
    ///
    /// # Errors
    /// [`MalformedKey`] for any other text.
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        checked_secret::parse(PREFIX, text).map(Self).ok_or(MalformedKey)
    }

    /// The secret, to be shown to its owner once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What storage keeps.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }

    /// What a person may be shown of it later: its first four random characters.
    #[must_use]
    pub fn hint(&self) -> KeyHint {
        KeyHint(checked_secret::hint(PREFIX, &self.0))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// The first four random characters of a key, by which its owner tells keys apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHint(String);

impl KeyHint {
    /// From storage.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The four characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_generated_key_has_the_published_form_and_is_read_back() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..1_000 {
            let key = ApiKey::generate(&mut rng);
            let text = key.reveal();
            assert_eq!(text.len(), ApiKey::LENGTH);
            assert!(text.starts_with(PREFIX) && text[6..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert_eq!(ApiKey::parse(text).expect("well-formed").hash(), key.hash());
            assert_eq!(key.hint().as_str(), &text[6..10]);
        }
    }

    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    #[test]
    fn the_checksum_is_crc_32_of_what_precedes_in_base_62() {
        // zlib.crc32(b"astra_" + b"0" * 30) == 0xED0EA77C
        let text = format!("astra_{}", "0".repeat(30));
        let mut value = u64::from(crc32fast::hash(text.as_bytes()));
        let mut digits = Vec::new();
        for _ in 0..6 {
            digits.insert(0, char::from(ALPHABET[(value % 62) as usize]));
            value /= 62;
        }
        let key = text + &digits.into_iter().collect::<String>();
        assert!(ApiKey::parse(&key).is_ok(), "{key}");
    }

    #[test]
    fn one_wrong_character_anywhere_is_refused() {
        let key = ApiKey::generate(&mut StdRng::seed_from_u64(2));
        for at in 0..ApiKey::LENGTH {
            let mut bytes = key.reveal().as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let text = String::from_utf8(bytes).expect("ASCII");
            assert!(ApiKey::parse(&text).is_err(), "{at}");
        }
        for text in ["", "astra_", "astra_your_api_key_here", &format!("{} ", key.reveal()), &"ä".repeat(21)] {
            assert!(ApiKey::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = ApiKey::generate(&mut StdRng::seed_from_u64(3));
        assert_eq!(format!("{key:?} {:?}", key.hash()), "ApiKey(…) KeyHash(…)");
    }
}
