use actix_web::http::StatusCode;
use actix_web::{HttpResponse, delete, post, web};
use astranetmon_auth::WebhookSecret;
use astranetmon_domain::{AlertChannel, AlertChannelId, AlertName, WebhookUrl};
use astranetmon_http::{ApiError, SignedIn, seeded_by_system};
use astranetmon_storage::{AlertDestination, NewAlertChannel};
use serde::Deserialize;
use serde_json::json;

use super::form::{email, id_in_path, refused, told};
use super::frame::Moment;
use super::secret_answer::shown_once;
use crate::DashboardState;

/// A channel as its row shows it.
pub(crate) struct ChannelView {
    pub(crate) id: AlertChannelId,
    pub(crate) name: String,
    /// `webhook`, `email`
    pub(crate) kind: &'static str,
    /// A mailbox, or a webhook's host: its path may hold a token.
    pub(crate) target: String,
    pub(crate) created: Moment,
}

impl From<AlertChannel> for ChannelView {
    fn from(channel: AlertChannel) -> Self {
        Self {
            id: channel.id,
            kind: channel.target.kind(),
            target: channel.target.to_string(),
            created: channel.created_at.into(),
            name: channel.name.to_string(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
pub(crate) struct NewChannel {
    name: Option<String>,
    kind: Option<String>,
    url: Option<String>,
    to: Option<String>,
}

/// Makes a channel; a webhook's secret is shown this once.
#[post("/settings/alerts/channels")]
pub(crate) async fn create(
    signed_in: SignedIn,
    form: web::Json<NewChannel>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let form = form.into_inner();
    let name: AlertName = form
        .name
        .unwrap_or_default()
        .trim()
        .parse()
        .map_err(|_| refused("A name has 1 to 100 characters and no control characters, such as “On call”"))?;
    let (destination, secret) = match form.kind.as_deref() {
        Some("webhook") => {
            let url: WebhookUrl = form.url.unwrap_or_default().trim().parse().map_err(|_| {
                refused("A webhook's URL has the form https://hooks.example.com/path, without user name or fragment")
            })?;
            let secret = WebhookSecret::generate(&mut seeded_by_system()?);
            let shown = secret.reveal().to_owned();
            (AlertDestination::Webhook { url, secret }, Some(shown))
        }
        Some("email") => (AlertDestination::Email { to: email(form.to)? }, None),
        _ => return Err(refused("A channel is a webhook or an e-mail address")),
    };
    let new = NewAlertChannel { name, destination };
    let channel =
        state.api.storage().alert_channel_create(&scope, &new, state.api.clock().now()).await.map_err(told)?;
    let body = json!({ "id": channel.id.to_string(), "name": channel.name.as_str(), "secret": secret });
    Ok(shown_once(StatusCode::CREATED, &body))
}

/// Deletes a channel; rules that used it tell it nothing any more.
#[delete("/settings/alerts/channels/{id}")]
pub(crate) async fn remove(
    signed_in: SignedIn,
    id: web::Path<String>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    if !state.api.storage().alert_channel_delete(&scope, id_in_path(&id)?, state.api.clock().now()).await? {
        return Err(ApiError::NotFound);
    }
    Ok(HttpResponse::Ok().json(json!({ "deleted": true })))
}

/// Sends a test message over a channel and says what became of it.
#[post("/settings/alerts/channels/{id}/test")]
pub(crate) async fn test(
    signed_in: SignedIn,
    id: web::Path<String>,
    state: web::Data<DashboardState>,
) -> Result<HttpResponse, ApiError> {
    let scope = signed_in.manages()?;
    let found = state.api.storage().alert_channel_destination(&scope, id_in_path(&id)?).await?;
    let (channel, destination) = found.ok_or(ApiError::NotFound)?;
    state.channel_tests.begin(scope.account_id(), state.api.clock().now())?;
    let (delivered, sentence) = match &state.deliverer {
        None => (false, "This server sends no alerts: its operator has not switched them on.".to_owned()),
        Some(deliverer) => match deliverer.deliver_test(&channel, &destination).await {
            Ok(()) => (true, format!("The test message to {} was accepted.", channel.target)),
            Err(error) => (false, format!("The test message did not arrive: {error}")),
        },
    };
    Ok(HttpResponse::Ok().json(json!({ "delivered": delivered, "sentence": sentence })))
}
