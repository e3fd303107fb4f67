//! Where the server sees this host.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::{Client, Method};
use serde::Deserialize;

use super::{SpeedtestServer, call};

/// What the server says of this host; unknown is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnAddress {
    pub(super) address: Option<String>,
    pub(super) isp: Option<String>,
}

/// It is not worth more.
const WAIT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read at most.
const MAX_ANSWER: usize = 64 << 10;

/// Asks; nothing is known if the server does not tell.
pub(super) async fn ask(client: &Client, server: &SpeedtestServer) -> OwnAddress {
    let answer = async {
        let mut response =
            call::send(server, call::request(client, server, Method::GET, &server.address)).await.ok()?;
        let mut text = Vec::new();
        while let Some(part) = response.chunk().await.ok()? {
            text.extend_from_slice(&part);
            if text.len() > MAX_ANSWER {
                return None;
            }
        }
        Some(read(&String::from_utf8_lossy(&text)))
    };
    tokio::time::timeout(WAIT, answer).await.ok().flatten().unwrap_or_default()
}

/// LibreSpeed's answer: JSON whose `processedString` is `192.0.2.1 - Example ISP, DE (3 km)`, or that string alone.
fn read(text: &str) -> OwnAddress {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(rename = "processedString")]
        processed: String,
    }
    let processed = serde_json::from_str::<Answer>(text).map(|answer| answer.processed);
    let processed = processed.as_deref().unwrap_or(text).trim();
    let (address, rest) = processed.split_once(" - ").unwrap_or((processed, ""));
    let Ok(address) = address.parse::<IpAddr>() else { return OwnAddress::default() };
    // The distance is the server's guess.
    let isp = rest.split(" (").next().unwrap_or(rest).trim();
    OwnAddress { address: Some(address.to_string()), isp: Some(isp.to_owned()).filter(|isp| !isp.is_empty()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_answer_is_read_and_no_other_text_is_taken_for_an_address() {
        for (text, address, isp) in [
            (
                r#"{"processedString":"192.0.2.1 - Example ISP, DE (3 km)","rawIspInfo":{}}"#,
                Some("192.0.2.1"),
                Some("Example ISP, DE"),
            ),
            (r#"{"processedString":"2001:db8::1","rawIspInfo":""}"#, Some("2001:db8::1"), None),
            ("192.0.2.1\n", Some("192.0.2.1"), None),
            ("192.0.2.1 - localhost IPv4 access", Some("192.0.2.1"), Some("localhost IPv4 access")),
            ("<html>not found</html>", None, None),
            ("{}", None, None),
            ("", None, None),
        ] {
            let expected = OwnAddress { address: address.map(str::to_owned), isp: isp.map(str::to_owned) };
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
