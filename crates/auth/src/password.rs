use std::fmt;
use std::sync::LazyLock;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use astranetmon_domain::UserEmail;
use rand::CryptoRng;
use zeroize::Zeroizing;
use zxcvbn::{Score, zxcvbn};

/// Words that a guesser of our passwords would try first.
const OUR_WORDS: [&str; 3] = ["astranetmon", "astra", "netmon"];

/// A password, as its owner types it. Wiped when dropped, never printed by `Debug`.
pub struct Password(Zeroizing<String>);

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPassword {
    /// Fewer than [`Password::SHORTEST`] characters.
    #[error("a password has at least 12 characters, better 15")]
    Short,
    /// More than [`Password::LONGEST`] characters.
    #[error("a password has at most 128 characters")]
    Long,
    /// Among those that are tried first.
    #[error("that password is easy to guess: take several words that do not belong together")]
    Guessable,
}

impl Password {
    /// In characters (OWASP ASVS 5.0 §6.2.1 wants 8, and recommends 15).
    pub const SHORTEST: usize = 12;
    /// In characters; what is longer costs the hash and no guesser.
    pub const LONGEST: usize = 128;

    /// As presented at sign-in.
    #[must_use]
    pub fn presented(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// One that its owner, of this address, may have from now on. Length and guessability count, kinds of characters do
    /// not.
    ///
    /// # Errors
    /// [`UnfitPassword`] with what is wrong with it.
    pub fn chosen(text: String, email: &UserEmail) -> Result<Self, UnfitPassword> {
        let password = Self::presented(text);
        match password.0.chars().count() {
            ..Self::SHORTEST => return Err(UnfitPassword::Short),
            length if length > Self::LONGEST => return Err(UnfitPassword::Long),
            _ => {}
        }
        let parts = email.as_str().split(['@', '.', '+', '-', '_']);
        let joined = email.as_str().split('@').next().unwrap_or_default().replace(['.', '+', '-', '_'], "");
        let own: Vec<&str> = parts.chain(OUR_WORDS).chain([joined.as_str()]).collect();
        if zxcvbn(&password.0, &own).score() < Score::Three {
            return Err(UnfitPassword::Guessable);
        }
        Ok(password)
    }

    /// A password that nobody would think of: four groups of five lower-case letters and digits, about 100 random bits.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        // Without those that are read as one another: 0 o, 1 l.
        const SYMBOLS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut bytes = Zeroizing::new([0; 20]);
        rng.fill_bytes(bytes.as_mut());
        let mut text = Zeroizing::new(String::with_capacity(23));
        for (index, byte) in bytes.iter().enumerate() {
            if index > 0 && index % 5 == 0 {
                text.push('-');
            }
            text.push(char::from(SYMBOLS[usize::from(byte % 32)]));
        }
        Self(text)
    }

    /// The password, to be shown to its owner once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What storage keeps. Takes about 20 ms and 19 MiB: argon2id with m = 19 MiB, t = 2, p = 1, the least that OWASP
    /// recommends.
    ///
    /// # Errors
    /// Never for a password that was [`Password::chosen`].
    pub fn hash(&self, rng: &mut impl CryptoRng) -> Result<PasswordHash, HashError> {
        let mut salt = [0; 16];
        rng.fill_bytes(&mut salt);
        hash(self.0.as_bytes(), &salt)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// The password cannot be hashed.
#[derive(Debug, thiserror::Error)]
#[error("the password cannot be hashed: {0}")]
pub struct HashError(String);

fn hash(password: &[u8], salt: &[u8]) -> Result<PasswordHash, HashError> {
    let hashed: Phc =
        Argon2::default().hash_password_with_salt(password, salt).map_err(|error| HashError(error.to_string()))?;
    Ok(PasswordHash(hashed.to_string()))
}

/// A password as storage keeps it: a PHC string with its parameters and salt.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// From storage.
    #[must_use]
    pub const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// For storage.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether that is the password. Takes as long as hashing it; a hash that cannot be read is nobody's.
    #[must_use]
    pub fn verify(&self, presented: &Password) -> bool {
        // What nobody can have chosen is not worth the memory.
        let length = presented.0.chars().take(Password::LONGEST + 1).count();
        let Ok(hash) = Phc::new(&self.0) else { return false };
        length <= Password::LONGEST && Argon2::default().verify_password(presented.0.as_bytes(), &hash).is_ok()
    }

    /// The hash to verify against when there is no such person, so that the answer takes the same time. Nobody knows
    /// its password.
    #[must_use]
    pub fn of_nobody() -> &'static Self {
        static NOBODY: LazyLock<PasswordHash> =
            LazyLock::new(|| hash(&[0xff; 32], &[0; 16]).unwrap_or_else(|_| PasswordHash(String::new())));
        &NOBODY
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn chosen(text: &str) -> Result<Password, UnfitPassword> {
        Password::chosen(text.to_owned(), &"ada.lovelace@example.com".parse().expect("an address"))
    }

    #[test]
    fn a_password_is_long_enough_and_hard_to_guess() {
        for (text, expected) in [
            ("short-1X!", Some(UnfitPassword::Short)),
            ("elevenchars", Some(UnfitPassword::Short)),
            ("passwordpassword", Some(UnfitPassword::Guessable)),
            ("aaaaaaaaaaaaaaaaaaaa", Some(UnfitPassword::Guessable)),
            ("123456789012345", Some(UnfitPassword::Guessable)),
            ("qwertyuiop123", Some(UnfitPassword::Guessable)),
            ("adalovelace1", Some(UnfitPassword::Guessable)),
            ("astranetmon2026", Some(UnfitPassword::Guessable)),
            ("correct otter kettle moon", None),
            ("Füße über Öl 2026", None),
            ("8Jq2mV0xLr5T", None),
        ] {
            assert_eq!(chosen(text).err(), expected, "{text}");
        }
        assert!(chosen(&"otter kettle ".repeat(9)).is_ok());
        assert_eq!(chosen(&"otter kettle ".repeat(10)).err(), Some(UnfitPassword::Long));
    }

    #[test]
    fn a_generated_password_is_fit_and_like_no_other() {
        let mut rng = StdRng::seed_from_u64(1);
        let passwords: Vec<_> = (0..100).map(|_| Password::generate(&mut rng).reveal().to_owned()).collect();
        for text in &passwords {
            assert_eq!((text.len(), text.split('-').count()), (23, 4), "{text}");
            assert!(chosen(text).is_ok(), "{text}");
        }
        assert_eq!(passwords.iter().collect::<std::collections::BTreeSet<_>>().len(), 100);
    }

    #[test]
    fn a_hash_knows_its_password_and_no_other_and_neither_is_printed() {
        let mut rng = StdRng::seed_from_u64(1);
        let password = chosen("correct otter kettle moon").expect("fit");
        let hash = password.hash(&mut rng).expect("hashed");
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert_ne!(password.hash(&mut rng).expect("hashed"), hash, "each has a salt of its own");
        assert!(hash.verify(&password));
        for other in ["correct otter kettle moo", "", "correct otter kettle moon\0", &"x".repeat(10_000)] {
            assert!(!hash.verify(&Password::presented(other.to_owned())), "{other:.30}");
            assert!(!PasswordHash::of_nobody().verify(&Password::presented(other.to_owned())));
        }
        assert!(!PasswordHash::from_stored("no hash".to_owned()).verify(&password));
        assert!(PasswordHash::of_nobody().as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(format!("{password:?} {hash:?}"), "Password(…) PasswordHash(…)");
    }
}
