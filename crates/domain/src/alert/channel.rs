use std::fmt;
use std::str::FromStr;

use super::AlertName;
use crate::{AlertChannelId, Timestamp, UserEmail};

/// A place where alerts are told. The secret that signs a webhook's messages is not part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertChannel {
    /// Made by storage.
    pub id: AlertChannelId,
    /// Given by a person.
    pub name: AlertName,
    /// Where.
    pub target: AlertTarget,
    /// When it was made.
    pub created_at: Timestamp,
}

impl AlertChannel {
    /// Channels that an account may have.
    pub const MAX_PER_ACCOUNT: usize = 20;
}

/// Where a channel tells alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertTarget {
    /// `POST` of JSON.
    Webhook {
        /// To this URL.
        url: WebhookUrl,
    },
    /// A message.
    Email {
        /// To this address.
        to: UserEmail,
    },
}

impl AlertTarget {
    /// Its kind, as storage names it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Email { .. } => "email",
        }
    }
}

/// What may be shown: the address of a mailbox, but of a webhook no more than its host.
impl fmt::Display for AlertTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook { url } => url.fmt(f),
            Self::Email { to } => to.fmt(f),
        }
    }
}

/// Where a webhook is called: `https://` or `http://`, a host, perhaps a port, a path and a query; at most 2,048
/// characters of ASCII, without user name or fragment.
///
/// Path and query often carry a token, so `Display` and `Debug` show scheme and host only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WebhookUrl(String);

/// The text is no URL that a webhook may have. Does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a webhook's URL has the form https://hooks.example.com/path, without a user name or a fragment")]
pub struct InvalidWebhookUrl;

impl WebhookUrl {
    /// Longest URL, in bytes.
    pub const MAX_LENGTH: usize = 2_048;

    /// The whole URL, for storage and for calling it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port: `https://hooks.example.com`.
    #[must_use]
    pub fn origin(&self) -> &str {
        let (_, rest) = self.0.split_once("://").unwrap_or_default();
        let path = rest.find(['/', '?']).unwrap_or(rest.len());
        &self.0[..self.0.len() - rest.len() + path]
    }
}

impl FromStr for WebhookUrl {
    type Err = InvalidWebhookUrl;
    fn from_str(text: &str) -> Result<Self, InvalidWebhookUrl> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(InvalidWebhookUrl)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').ok_or(InvalidWebhookUrl)?,
            None => match authority.find(':') {
                Some(colon) => authority.split_at(colon),
                None => (authority, ""),
            },
        };
        let host_is_plain = if authority.starts_with('[') {
            host.parse::<std::net::Ipv6Addr>().is_ok()
        } else {
            !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
        };
        let port_is_plain = match port.strip_prefix(':') {
            Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|p| p > 0),
            None => port.is_empty(),
        };
        // Characters that parsers of URLs disagree about are refused.
        let rest_is_plain = rest.bytes().all(|b| b.is_ascii_graphic() && !b"\\#\"<>^`{|}".contains(&b));
        if text.len() <= Self::MAX_LENGTH && host_is_plain && port_is_plain && rest_is_plain {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidWebhookUrl)
        }
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin())?;
        if self.origin().len() < self.0.len() { f.write_str("/…") } else { Ok(()) }
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_url_shows_its_host_only() {
        for (text, shown) in [
            ("https://hooks.example.com/services/T0/s3cret?token=s3cret", "https://hooks.example.com/…"),
            ("https://example.com", "https://example.com"),
            ("http://127.0.0.1:8081/hook", "http://127.0.0.1:8081/…"),
            ("https://[2001:db8::1]:8443?s3cret", "https://[2001:db8::1]:8443/…"),
        ] {
            let url = text.parse::<WebhookUrl>().expect(text);
            assert_eq!(url.reveal(), text);
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), format!("WebhookUrl({shown})")));
        }
    }

    #[test]
    fn what_is_no_plain_url_is_refused() {
        for text in [
            "",
            "example.com/hook",
            "ftp://example.com/",
            "file:///etc/passwd",
            "https://",
            "https:///path",
            "https://user@example.com/",
            "https://user:password@example.com/",
            "https://example.com/#fragment",
            "https://example.com:0/",
            "https://example.com:65536/",
            "https://example.com:+80/",
            "https://example.com:/",
            "https://exa mple.com/",
            "https://example.com/a b",
            "https://example.com\\@127.0.0.1/",
            "https://ex\u{e4}mple.com/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[v1.x]/",
            "https://example.com/\r\nHost: x",
            &format!("https://example.com/{}", "x".repeat(2_048)),
        ] {
            assert_eq!(text.parse::<WebhookUrl>(), Err(InvalidWebhookUrl), "{text:?}");
        }
    }
}
