//! The form of every secret that a program is configured with: a prefix that tells its kind, random base62 characters,
//! and a checksum. The checksum catches typing errors and lets scanners find leaked secrets; it proves nothing.

use rand::{CryptoRng, RngExt};
use zeroize::Zeroizing;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LENGTH: usize = 30;
const CHECKSUM_LENGTH: usize = 6;
const HINT_LENGTH: usize = 4;

/// Length in bytes of a secret that begins with `prefix`.
pub(crate) const fn length(prefix: &str) -> usize {
    prefix.len() + RANDOM_LENGTH + CHECKSUM_LENGTH
}

/// Makes a secret of 178 random bits.
pub(crate) fn generate(prefix: &str, rng: &mut impl CryptoRng) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(length(prefix)));
    text.push_str(prefix);
    text.extend((0..RANDOM_LENGTH).map(|_| char::from(ALPHABET[rng.random_range(0..ALPHABET.len())])));
    let checksum = checksum(text.as_bytes());
    text.extend(checksum.map(char::from));
    text
}

/// The text as a secret, if it begins with `prefix` and its form and checksum are right.
pub(crate) fn parse(prefix: &str, text: &str) -> Option<Zeroizing<String>> {
    let body = text.strip_prefix(prefix)?;
    let well_formed =
        body.len() == RANDOM_LENGTH + CHECKSUM_LENGTH && body.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !well_formed {
        return None;
    }
    let (signed, presented) = text.as_bytes().split_at(length(prefix) - CHECKSUM_LENGTH);
    (checksum(signed) == presented).then(|| Zeroizing::new(text.to_owned()))
}

/// What a person may be shown of a secret later: its first four random characters.
pub(crate) fn hint(prefix: &str, secret: &str) -> String {
    secret[prefix.len()..prefix.len() + HINT_LENGTH].to_owned()
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
