use astranetmon_domain::Clock;
use astranetmon_ingest::{Answer, Secret};

use super::{BATCH_ROWS, Trouble};
use crate::server::{Reply, Server};
use crate::spool::{Row, RowKind};

/// Posts rows and reads what became of them.
pub(crate) struct BatchSender {
    server: Server,
    token: Secret,
    /// Rows of the next body at most.
    rows: usize,
    /// What `rows` grows to: less, once the server said that a body was too large.
    most_rows: usize,
    compressed: bool,
    /// Refusals that were logged, so that a server that refuses everything does not fill the disk with words.
    logged: u32,
}

/// What became of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) taken: u64,
    pub(crate) known: u64,
    pub(crate) refused: u64,
}

impl Sent {
    pub(crate) const fn add(&mut self, other: Self) {
        self.taken += other.taken;
        self.known += other.known;
        self.refused += other.refused;
    }
}

/// Refusals that are logged; more are only counted.
const MOST_LOGGED: u32 = 20;

impl BatchSender {
    pub(crate) const fn new(server: Server, token: Secret) -> Self {
        Self { server, token, rows: BATCH_ROWS, most_rows: BATCH_ROWS, compressed: true, logged: 0 }
    }

    pub(crate) const fn server(&self) -> &Server {
        &self.server
    }

    pub(crate) const fn token(&self) -> &Secret {
        &self.token
    }

    /// Sends rows, those of a kind together and in their order, until each is answered for. After an error some may
    /// have arrived; sending them again changes nothing.
    pub(crate) async fn send(&mut self, rows: &[Row], clock: &dyn Clock) -> Result<Sent, Trouble> {
        let mut sent = Sent::default();
        for kind in RowKind::ALL {
            let of_kind: Vec<&Row> = rows.iter().filter(|row| row.kind == kind).collect();
            let mut rest = of_kind.as_slice();
            while !rest.is_empty() {
                let batch = &rest[..self.rows.min(rest.len())];
                if let Some(more) = self.post(kind, batch, clock).await? {
                    sent.add(more);
                    rest = &rest[batch.len()..];
                }
            }
        }
        Ok(sent)
    }

    /// `None`: it is to be tried again at once, otherwise.
    async fn post(&mut self, kind: RowKind, rows: &[&Row], clock: &dyn Clock) -> Result<Option<Sent>, Trouble> {
        let path = format!("/ingest/v1/{}", kind.plural());
        let body = envelope(kind, rows);
        let now = clock.now();
        let reply = self.server.post(&path, Some(&self.token), body, self.compressed, now).await;
        let reply = reply.map_err(Trouble::NoAnswer)?;
        match reply.status {
            200 => {
                let sent = self.read(kind, rows, &reply)?;
                self.rows = (2 * self.rows).min(self.most_rows);
                Ok(Some(sent))
            }
            401 => Err(Trouble::Unauthorized(reply.complaint())),
            415 if self.compressed => {
                self.compressed = false;
                Ok(None)
            }
            // Too large as a whole, or one row spoils the rest: half of it may do.
            400 | 413 if rows.len() > 1 => {
                self.rows = rows.len().div_ceil(2);
                if reply.status == 413 {
                    self.most_rows = self.rows;
                }
                Ok(None)
            }
            400 | 413 if reply.is_own() || reply.status == 413 => {
                self.log_refusal(kind, rows.first().copied(), &reply.complaint());
                Ok(Some(Sent { refused: 1, ..Sent::default() }))
            }
            500 if reply.is_own() => Err(Trouble::Failed(reply.complaint())),
            _ => Err(Trouble::Busy { complaint: reply.complaint(), retry_after: reply.retry_after }),
        }
    }

    fn read(&mut self, kind: RowKind, rows: &[&Row], reply: &Reply) -> Result<Sent, Trouble> {
        // A portal that answers everything with 200 is not our server.
        let foreign =
            || Trouble::NoAnswer(format!("{} answered 200 with something else than an answer", self.server.url()));
        let answer: Answer = serde_json::from_slice(&reply.body).map_err(|_| foreign())?;
        let sent = Sent { taken: answer.taken.into(), known: answer.known.into(), refused: answer.refused.into() };
        if sent.taken + sent.known + sent.refused != rows.len() as u64 {
            return Err(foreign());
        }
        for refused in &answer.refused_rows {
            let row = usize::try_from(refused.row).ok().and_then(|at| rows.get(at).copied());
            let field = refused.field.as_deref().unwrap_or("the row");
            self.log_refusal(kind, row, &format!("{field} {}", refused.reason));
        }
        Ok(sent)
    }

    /// A row at which the server fails whenever it comes.
    pub(crate) fn give_up(&mut self, row: &Row, complaint: &str) -> Sent {
        self.log_refusal(row.kind, Some(row), complaint);
        Sent { refused: 1, ..Sent::default() }
    }

    fn log_refusal(&mut self, kind: RowKind, row: Option<&Row>, reason: &str) {
        self.logged = self.logged.saturating_add(1);
        if self.logged > MOST_LOGGED {
            return;
        }
        let reason = astranetmon_domain::clean_text(reason, 300);
        let measured_at = row.map(|row| row.timestamp.to_string());
        tracing::warn!(kind = kind.plural(), measured_at, "the server refused a row for good: {reason}");
        if self.logged == MOST_LOGGED {
            tracing::warn!("further refusals are counted and not logged");
        }
    }
}

/// The rows as one body; they are JSON already.
fn envelope(kind: RowKind, rows: &[&Row]) -> Vec<u8> {
    let length: usize = rows.iter().map(|row| row.json.len() + 1).sum();
    let mut body = Vec::with_capacity(length + 32);
    body.extend_from_slice(format!("{{\"{}\":[", kind.plural()).as_bytes());
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&row.json);
    }
    body.extend_from_slice(b"]}");
    body
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::Timestamp;

    use super::*;

    #[test]
    fn an_envelope_is_json_of_its_rows() {
        let row = |json: &str| Row {
            kind: RowKind::Metric,
            timestamp: Timestamp::from_seconds(0),
            json: json.as_bytes().to_vec(),
        };
        let (first, second) = (row("{\"a\":1}"), row("{}"));
        assert_eq!(envelope(RowKind::Metric, &[&first, &second]), b"{\"metrics\":[{\"a\":1},{}]}");
        assert_eq!(envelope(RowKind::Speedtest, &[]), b"{\"speedtests\":[]}");
    }
}
