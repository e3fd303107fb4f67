use std::fmt;
use std::time::Duration;

use astranetmon_domain::UserEmail;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use zeroize::Zeroizing;

use super::UnusableSettings;
use super::payload::Payload;
use crate::deliverer::DeliveryError;

/// Of each command; a whole delivery takes at most twice as long.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);

/// The mail server that messages are handed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmtpSettings {
    /// Its name, which its certificate must bear.
    pub host: String,
    /// Its port; 465, 587 or 25 by kind of TLS, if unset.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Who signs in; nobody, if unset.
    pub user: Option<String>,
    /// With what.
    pub password: Option<SmtpPassword>,
    /// The sender: an address, or `Name <address>`.
    pub from: String,
}

/// How a connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte.
    Implicit,
    /// TLS after `STARTTLS`; without it nothing is sent.
    StartTls,
    /// None: for a mail server on this very host.
    None,
}

/// A mail server's password. Wiped when dropped, never printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpPassword(Zeroizing<String>);

impl SmtpPassword {
    /// Takes the text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Debug for SmtpPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SmtpPassword(…)")
    }
}

impl SmtpSettings {
    fn unusable(reason: impl fmt::Display) -> UnusableSettings {
        UnusableSettings(format!("e-mail cannot be sent: {reason}"))
    }

    /// Whether messages can be sent with these settings, without sending any.
    ///
    /// # Errors
    /// A sentence about what is wrong.
    pub fn check(&self) -> Result<(), UnusableSettings> {
        if self.from.parse::<Mailbox>().is_err() {
            return Err(Self::unusable("smtp.from is an address such as AstraNetmon <alerts@example.com>"));
        }
        if self.tls == SmtpTls::None && !self.is_local() {
            return Err(Self::unusable("smtp.tls may be none for a mail server on this host only"));
        }
        if self.user.is_some() != self.password.is_some() {
            return Err(Self::unusable("smtp.user and smtp.password are set together or not at all"));
        }
        Ok(())
    }

    fn is_local(&self) -> bool {
        self.host == "localhost" || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Hands messages to a mail server.
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    pub(super) fn new(settings: SmtpSettings) -> Result<Self, UnusableSettings> {
        settings.check()?;
        let from = settings.from.parse().map_err(SmtpSettings::unusable)?;
        let parameters = || TlsParameters::new(settings.host.clone()).map_err(SmtpSettings::unusable);
        let (tls, port) = match settings.tls {
            SmtpTls::Implicit => (Tls::Wrapper(parameters()?), 465),
            SmtpTls::StartTls => (Tls::Required(parameters()?), 587),
            SmtpTls::None => (Tls::None, 25),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.as_str())
            .port(settings.port.unwrap_or(port))
            .tls(tls)
            .timeout(Some(COMMAND_TIMEOUT));
        if let (Some(user), Some(password)) = (settings.user, settings.password) {
            transport = transport.credentials(Credentials::new(user, password.0.to_string()));
        }
        Ok(Self { transport: transport.build(), from })
    }

    pub(super) async fn send(&self, to: &UserEmail, payload: &Payload) -> Result<(), DeliveryError> {
        let to = to
            .as_str()
            .parse()
            .map_err(|_| DeliveryError::permanent("The channel's address is none that e-mail can be sent to."))?;
        let message = self
            .message(to, payload)
            .map_err(|_| DeliveryError::permanent("The message cannot be written as e-mail."))?;
        match tokio::time::timeout(2 * COMMAND_TIMEOUT, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failure(&error)),
            Err(_) => Err(DeliveryError::temporary("The mail server does not answer.")),
        }
    }

    fn message(&self, to: Mailbox, payload: &Payload) -> Result<Message, lettre::error::Error> {
        let about = payload.rule.as_ref().map_or("test", |rule| rule.name.as_str());
        let subject = match &payload.agent {
            Some(agent) => format!("[{}] {about}: {} {}", payload.severity, agent.name, payload.state),
            None => format!("[{}] AstraNetmon {about}", payload.severity),
        };
        let mut text = format!("{}\n\nWhen: {}\n", payload.sentence, payload.at);
        if let Some(agent) = &payload.agent {
            text.push_str(&format!("Agent: {} ({})\n", agent.name, agent.id));
        }
        if let Some(rule) = &payload.rule {
            text.push_str(&format!("Rule: {} ({})\n", rule.name, payload.severity));
        }
        if let Some(link) = &payload.link {
            text.push_str(&format!("\n{link}\n"));
        }
        // Told twice, it is one message.
        let id = format!("<{}.{}@{}>", payload.event_id, payload.state, self.from.email.domain());
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN)
            .body(text)
    }
}

/// Codes only: what a server says beside them is for its operator.
fn failure(error: &lettre::transport::smtp::Error) -> DeliveryError {
    match error.status() {
        Some(code) if error.is_permanent() => {
            DeliveryError::permanent(format!("The mail server refused the message with code {code}."))
        }
        Some(code) => DeliveryError::temporary(format!("The mail server put the message off with code {code}.")),
        None if error.is_tls() => DeliveryError::temporary("The mail server could not be verified: its TLS fails."),
        None if error.is_timeout() => DeliveryError::temporary("The mail server does not answer."),
        None => DeliveryError::temporary("The mail server cannot be reached."),
    }
}
