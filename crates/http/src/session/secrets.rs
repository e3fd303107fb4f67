use astranetmon_auth::SessionHash;
use astranetmon_domain::UserEmail;
use astranetmon_ratelimit::DeviceId;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Signs what browsers hold beside their session; shared by all instances on one database.
pub(crate) struct SessionSecrets([u8; 32]);

impl SessionSecrets {
    pub(crate) const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn mac(&self, purpose: &str, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }

    /// What a page of this session sends with every change.
    pub(crate) fn csrf_token(&self, session: &SessionHash) -> String {
        URL_SAFE_NO_PAD.encode(self.mac("csrf", &[session.as_bytes()]).finalize().into_bytes())
    }

    /// Whether that is the token; in constant time.
    pub(crate) fn is_csrf_token(&self, session: &SessionHash, presented: &[u8]) -> bool {
        let Ok(presented) = URL_SAFE_NO_PAD.decode(presented) else { return false };
        self.mac("csrf", &[session.as_bytes()]).verify_slice(&presented).is_ok()
    }

    /// What says of a device that this person has signed in with it.
    pub(crate) fn device_value(&self, device: DeviceId, email: &UserEmail) -> String {
        let mac = self.mac("device", &[&device.0, email.as_str().as_bytes()]).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([device.0.as_slice(), &mac].concat())
    }

    /// The device, if this person has signed in with it.
    pub(crate) fn known_device(&self, presented: &str, email: &UserEmail) -> Option<DeviceId> {
        let bytes = URL_SAFE_NO_PAD.decode(presented).ok()?;
        let (device, mac) = bytes.split_first_chunk()?;
        self.mac("device", &[device, email.as_str().as_bytes()]).verify_slice(mac).ok()?;
        Some(DeviceId(*device))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_of_one_session_and_a_device_of_one_person() {
        let (secrets, others) = (SessionSecrets::new([1; 32]), SessionSecrets::new([2; 32]));
        let [session, other] = [[3; 32], [4; 32]].map(SessionHash::from_bytes);
        let token = secrets.csrf_token(&session);
        assert!(secrets.is_csrf_token(&session, token.as_bytes()));
        assert!(!secrets.is_csrf_token(&other, token.as_bytes()));
        assert!(!others.is_csrf_token(&session, token.as_bytes()));
        for wrong in ["", "x", &token[1..]] {
            assert!(!secrets.is_csrf_token(&session, wrong.as_bytes()));
        }
        let [ada, bob] = ["ada@example.com", "bob@example.com"].map(|text| text.parse().expect("an address"));
        let device = DeviceId([5; 16]);
        let value = secrets.device_value(device, &ada);
        assert_eq!(secrets.known_device(&value, &ada), Some(device));
        assert_eq!(secrets.known_device(&value, &bob), None);
        assert_eq!(others.known_device(&value, &ada), None);
        assert_eq!(secrets.known_device(&value[2..], &ada), None);
        assert_eq!(secrets.known_device("", &ada), None);
    }
}
