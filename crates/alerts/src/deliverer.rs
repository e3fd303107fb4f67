use astranetmon_domain::{AlertChannel, AlertEvent, AlertPhase};
use astranetmon_storage::AlertDestination;
use async_trait::async_trait;

/// What is told of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertMessage {
    /// The event.
    pub event: AlertEvent,
    /// What of it.
    pub phase: AlertPhase,
}

/// A message did not arrive. `Display` is one sentence for the person who looks after the channel; it never holds the
/// query of a URL, a secret, or what a server of an internal network answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct DeliveryError {
    /// Why.
    pub sentence: String,
    /// Whether the same message may arrive later.
    pub retryable: bool,
}

impl DeliveryError {
    /// The same message may arrive later.
    pub(crate) fn temporary(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), retryable: true }
    }

    /// It would fail again.
    pub(crate) fn permanent(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), retryable: false }
    }
}

/// Sends messages to where channels point.
#[async_trait]
pub trait Deliverer: Send + Sync {
    /// Sends one message, once.
    ///
    /// # Errors
    /// [`DeliveryError`] if it did not arrive.
    async fn deliver(&self, destination: &AlertDestination, message: &AlertMessage) -> Result<(), DeliveryError>;

    /// Sends a message that says it is a test of this channel, at once and once.
    ///
    /// # Errors
    /// [`DeliveryError`] if it did not arrive.
    async fn deliver_test(&self, channel: &AlertChannel, destination: &AlertDestination) -> Result<(), DeliveryError>;
}
