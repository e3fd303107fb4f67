//! `InfluxDB` line protocol, as Telegraf and others write it.
//!
//! ```text
//! measurement[,tag=value…] field=value[,field=value…] [timestamp]
//! ```
//!
//! A name is borrowed from the body unless it holds an escape. What one line has wrong costs that line alone, save for a
//! string that is never closed: what follows it cannot be told from its content, so nothing after it is read.
//!
//! ```
//! use astranetmon_ingest::line_protocol::{FieldValue, Points, Precision};
//!
//! let body = b"disk,path=/,host=web\\ 1 used=42i,mode=\"rw\" 1465839830\nbroken\n";
//! let mut points = Points::new(body, Precision::Seconds);
//! let point = points.next().expect("a line").expect("well-formed");
//! assert_eq!((point.measurement.as_ref(), point.tag("host")), ("disk", Some("web 1")));
//! assert_eq!(point.fields[0], ("used".into(), FieldValue::Integer(42)));
//! assert_eq!(points.next().expect("a line").expect_err("no field").line, 2);
//! ```

mod line_end;
mod point;
mod precision;
mod section;
#[cfg(test)]
mod tests;

pub use self::point::{FieldValue, LineError, LineErrorKind, Point};
pub use self::precision::{Precision, UnknownPrecision};

use self::line_end::line_end;

/// The points of a body, line by line; empty lines and comments are passed over.
#[derive(Clone, Debug)]
pub struct Points<'a> {
    rest: &'a [u8],
    /// Number of the line at which `rest` begins, from 1.
    line: u32,
    precision: Precision,
}

impl<'a> Points<'a> {
    /// Reads `body`, whose timestamps count `precision`.
    #[must_use]
    pub const fn new(body: &'a [u8], precision: Precision) -> Self {
        Self { rest: body, line: 1, precision }
    }

    /// Takes the bytes up to `length` off the rest, and counts their lines.
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length);
        let newlines = taken.iter().filter(|&&byte| byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        self.rest = rest;
        taken
    }
}

impl<'a> Iterator for Points<'a> {
    type Item = Result<Point<'a>, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let blank = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
            self.take(blank);
            let first = self.rest.first()?;
            let line = self.line;
            if *first == b'#' {
                let end = self.rest.iter().position(|&byte| byte == b'\n');
                self.take(end.unwrap_or(self.rest.len()));
                continue;
            }
            let (end, closed) = line_end(self.rest);
            let text = self.take(end);
            let point =
                if closed { section::point(text, line, self.precision) } else { Err(LineErrorKind::StringNotClosed) };
            return Some(point.map_err(|kind| LineError { line, kind }));
        }
    }
}
