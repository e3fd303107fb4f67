use std::fmt;

use astranetmon_alerts::{SmtpPassword, SmtpSettings, SmtpTls};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::Failure;

/// The mail server that alerts are handed to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailSettings {
    /// Its name; without it no e-mail is sent.
    pub host: Option<String>,
    /// Its port: 465 with implicit TLS, 587 with STARTTLS, 25 without TLS, if unset.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: MailTls,
    /// Who signs in.
    pub user: Option<String>,
    /// With what.
    pub password: Option<MailPassword>,
    /// The sender: an address, or `Name <address>`.
    pub from: Option<String>,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS from the first byte.
    Implicit,
    /// TLS after STARTTLS, or nothing is sent.
    StartTls,
    /// Not at all: for a server on this host.
    None,
}

impl Default for MailSettings {
    fn default() -> Self {
        Self { host: None, port: None, tls: MailTls::StartTls, user: None, password: None, from: None }
    }
}

impl MailSettings {
    /// What deliveries are made with; `None` without a mail server.
    ///
    /// # Errors
    /// [`Failure::Usage`] with one sentence.
    pub fn smtp(&self) -> Result<Option<SmtpSettings>, Failure> {
        let Some(host) = self.host.clone() else { return Ok(None) };
        let Some(from) = self.from.clone() else {
            return Err(Failure::usage("smtp.from is set together with smtp.host: who the e-mail is from"));
        };
        let settings = SmtpSettings {
            host,
            port: self.port,
            tls: match self.tls {
                MailTls::Implicit => SmtpTls::Implicit,
                MailTls::StartTls => SmtpTls::StartTls,
                MailTls::None => SmtpTls::None,
            },
            user: self.user.clone(),
            password: self.password.as_ref().map(|password| SmtpPassword::new(password.0.to_string())),
            from,
        };
        settings.check().map_err(|error| Failure::usage(error.to_string()))?;
        Ok(Some(settings))
    }
}

/// The mail server's password. A secret: `Debug` and `Serialize` hide it.
#[derive(Clone, PartialEq, Eq)]
pub struct MailPassword(Zeroizing<String>);

impl fmt::Debug for MailPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailPassword(***)")
    }
}

impl<'de> Deserialize<'de> for MailPassword {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The reason may repeat the value.
        let text = String::deserialize(deserializer).map_err(|_| serde::de::Error::custom("a password is text"))?;
        Ok(Self(Zeroizing::new(text)))
    }
}

impl Serialize for MailPassword {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}
