//! The real way out: webhooks over HTTP and messages over SMTP.

mod address;
mod email;
mod payload;
mod webhook;

use std::sync::Arc;

use astranetmon_domain::{AlertChannel, Clock};
use astranetmon_storage::AlertDestination;
use async_trait::async_trait;
use ipnet::IpNet;

use self::email::Mailer;
pub use self::email::{SmtpPassword, SmtpSettings, SmtpTls};
use self::payload::Payload;
use self::webhook::WebhookClient;
pub use self::webhook::verify_signature;
use crate::deliverer::{AlertMessage, Deliverer, DeliveryError};

/// What deliveries are made with.
#[derive(Clone, Debug, Default)]
pub struct PostSettings {
    /// Networks that are not public and that webhooks may reach all the same.
    pub allowed_networks: Vec<IpNet>,
    /// The mail server; without one e-mail is not delivered.
    pub smtp: Option<SmtpSettings>,
    /// Where people reach the dashboard; makes links.
    pub public_url: Option<String>,
}

/// Delivers by webhook and by e-mail.
pub struct Post {
    webhooks: WebhookClient,
    mailer: Option<Mailer>,
    public_url: Option<String>,
    clock: Arc<dyn Clock>,
}

impl Post {
    /// Reads the system's certificates.
    ///
    /// # Errors
    /// A sentence about settings that cannot be used.
    pub fn new(settings: PostSettings, clock: Arc<dyn Clock>) -> Result<Self, UnusableSettings> {
        Ok(Self {
            webhooks: WebhookClient::new(settings.allowed_networks)?,
            mailer: settings.smtp.map(Mailer::new).transpose()?,
            public_url: settings.public_url,
            clock,
        })
    }

    async fn send(&self, destination: &AlertDestination, payload: &Payload) -> Result<(), DeliveryError> {
        match destination {
            AlertDestination::Webhook { url, secret } => {
                self.webhooks.post(url, secret, payload, self.clock.now()).await
            }
            AlertDestination::Email { to } => match &self.mailer {
                Some(mailer) => mailer.send(to, payload).await,
                None => Err(DeliveryError::permanent("This server has no mail server to send e-mail through.")),
            },
        }
    }
}

/// Settings of deliveries that cannot be used. `Display` says why, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableSettings(pub(crate) String);

#[async_trait]
impl Deliverer for Post {
    async fn deliver(&self, destination: &AlertDestination, message: &AlertMessage) -> Result<(), DeliveryError> {
        self.send(destination, &Payload::of(message, self.public_url.as_deref())).await
    }

    async fn deliver_test(&self, channel: &AlertChannel, destination: &AlertDestination) -> Result<(), DeliveryError> {
        self.send(destination, &Payload::test(channel, self.public_url.as_deref(), self.clock.now())).await
    }
}
