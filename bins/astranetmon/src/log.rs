use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::Failure;
use crate::configuration::LogFormat;

const KEY_PREFIX: &[u8] = b"astra_";
/// Characters of an API key after its prefix.
const KEY_BODY_LENGTH: usize = 36;
const MASK: &[u8] = b"astra_***";

/// Sends log lines to standard error.
///
/// # Errors
/// A level that cannot be read, or a log that is set up already.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(level).map_err(|error| Failure::caused("log_level cannot be read", &error))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(MaskedStderr);
    let started = match format {
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::caused("the log cannot be started", error.as_ref()))
}

/// Standard error without API keys. Nobody logs one on purpose; this is the second net.
#[derive(Clone, Copy)]
struct MaskedStderr;

impl<'a> MakeWriter<'a> for MaskedStderr {
    type Writer = Masked<io::Stderr>;
    fn make_writer(&'a self) -> Self::Writer {
        Masked(io::stderr())
    }
}

/// Masks what it passes on. A line arrives in one piece.
struct Masked<W>(W);

impl<W: Write> Write for Masked<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match mask_keys(line) {
            Some(masked) => self.0.write_all(&masked)?,
            None => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The line with everything in the form of a key masked; `None` if there is nothing of the kind.
fn mask_keys(line: &[u8]) -> Option<Vec<u8>> {
    let mut masked = None;
    let mut rest = line;
    while let Some(at) = rest.windows(KEY_PREFIX.len()).position(|window| window == KEY_PREFIX) {
        let body = &rest[at + KEY_PREFIX.len()..];
        let in_form = body.len() >= KEY_BODY_LENGTH && body[..KEY_BODY_LENGTH].iter().all(u8::is_ascii_alphanumeric);
        let (text, skipped) = if in_form { (MASK, KEY_BODY_LENGTH) } else { (KEY_PREFIX, 0) };
        if in_form || masked.is_some() {
            let masked = masked.get_or_insert_with(|| line[..line.len() - rest.len()].to_vec());
            masked.extend_from_slice(&rest[..at]);
            masked.extend_from_slice(text);
        }
        rest = &body[skipped..];
    }
    if let Some(masked) = &mut masked {
        masked.extend_from_slice(rest);
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_the_form_of_a_key_is_masked() {
        let key = format!("astra_{}", "aZ9".repeat(12));
        for (line, masked) in [
            (format!("key={key} name=x"), Some("key=astra_*** name=x".to_owned())),
            (format!("{key}{key}"), Some("astra_***astra_***".to_owned())),
            (
                format!("astra_short {key}, astra_your_api_key_here"),
                Some("astra_short astra_***, astra_your_api_key_here".to_owned()),
            ),
            ("astra_your_api_key_here".to_owned(), None),
            ("astra_".to_owned(), None),
            (String::new(), None),
        ] {
            let found = mask_keys(line.as_bytes()).map(|line| String::from_utf8(line).expect("UTF-8"));
            assert_eq!(found, masked, "{line}");
        }
    }

    #[test]
    fn the_writer_reports_the_length_it_was_given() {
        let mut sink = Vec::new();
        let line = format!("key={}\n", format_args!("astra_{}", "x".repeat(36)));
        assert_eq!(Masked(&mut sink).write(line.as_bytes()).expect("written"), line.len());
        assert_eq!(sink, b"key=astra_***\n");
    }
}
