use std::fmt;

use rand::{CryptoRng, RngExt};
use zeroize::Zeroizing;

use crate::KeyHash;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "astra_";
const RANDOM_LENGTH: usize = 30;
const CHECKSUM_LENGTH: usize = 6;

/// A whole API key: the secret itself. Shown once, wiped when dropped, never printed by `Debug`.
pub struct ApiKey(Zeroizing<String>);

/// The text is no API key: wrong prefix, length, alphabet or checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an API key")]
pub struct MalformedKey;

impl ApiKey {
    /// Length in bytes.
    pub const LENGTH: usize = PREFIX.len() + RANDOM_LENGTH + CHECKSUM_LENGTH;

    /// Makes a key of 178 random bits.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut text = String::with_capacity(Self::LENGTH);
        text.push_str(PREFIX);
        text.extend((0..RANDOM_LENGTH).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])));
        let checksum = checksum(text.as_bytes());
        text.extend(checksum.map(char::from));
        Self(Zeroizing::new(text))
    }

    /// Takes presented text whose form and checksum are right. The checksum catches typing errors and lets scanners
    /// find leaked keys; it proves nothing.
    ///
    /// # Errors
    /// [`MalformedKey`] for any other text.
    pub fn parse(text: &str) -> Result<Self, MalformedKey> {
        let body = text.strip_prefix(PREFIX).ok_or(MalformedKey)?;
        let well_formed =
            body.len() == RANDOM_LENGTH + CHECKSUM_LENGTH && body.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !well_formed {
            return Err(MalformedKey);
        }
        let (signed, presented) = text.as_bytes().split_at(Self::LENGTH - CHECKSUM_LENGTH);
        if checksum(signed) == presented { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(MalformedKey) }
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
        KeyHint(self.0[PREFIX.len()..PREFIX.len() + 4].to_owned())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

fn checksum(text: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32fast::hash(text) as usize;
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[rest % ALPHABET.len()];
        rest /= ALPHABET.len();
    }
    digits
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
