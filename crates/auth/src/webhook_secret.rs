use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::CryptoRng;
use zeroize::Zeroizing;

const PREFIX: &str = "whsec_";
const RANDOM_BYTES: usize = 32;

/// What signs the messages of a webhook: `whsec_` and 256 random bits. Its receiver holds the same, and it signs, so
/// storage keeps it as it is. Wiped when dropped, never printed by `Debug`.
#[derive(Clone)]
pub struct WebhookSecret(Zeroizing<String>);

/// The text is no secret of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a webhook secret")]
pub struct MalformedWebhookSecret;

impl WebhookSecret {
    /// Length in bytes.
    pub const LENGTH: usize = PREFIX.len() + (RANDOM_BYTES * 8).div_ceil(6);

    /// Makes a secret.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
        rng.fill_bytes(bytes.as_mut());
        Self(Zeroizing::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// Takes text of the right form.
    ///
    /// # Errors
    /// [`MalformedWebhookSecret`] for any other text.
    pub fn parse(text: &str) -> Result<Self, MalformedWebhookSecret> {
        let random = text.strip_prefix(PREFIX).ok_or(MalformedWebhookSecret)?;
        let well_formed = text.len() == Self::LENGTH
            && random.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if well_formed { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(MalformedWebhookSecret) }
    }

    /// The secret, for its owner's eyes once, for storage, and as the key of signatures: its bytes as they stand here.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_secret_has_one_form_and_is_never_printed() {
        let secret = WebhookSecret::generate(&mut StdRng::seed_from_u64(1));
        assert_eq!(secret.reveal().len(), WebhookSecret::LENGTH);
        assert_eq!(WebhookSecret::parse(secret.reveal()).expect("its own").reveal(), secret.reveal());
        assert_eq!(format!("{secret:?}"), "WebhookSecret(…)");
        for text in ["", "whsec_", &secret.reveal()[1..], &format!("{}x", secret.reveal())] {
            assert!(WebhookSecret::parse(text).is_err(), "{text:?}");
        }
    }
}
