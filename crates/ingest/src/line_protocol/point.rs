use std::borrow::Cow;

use astranetmon_domain::Timestamp;

/// A line: what was measured at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'a> {
    /// Number of the line at which it begins, from 1.
    pub line: u32,
    /// What the fields are of.
    pub measurement: Cow<'a, str>,
    /// Names and values, in the line's order; no name twice.
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Names and values, in the line's order; at least one, perhaps a name twice.
    pub fields: Vec<(Cow<'a, str>, FieldValue<'a>)>,
    /// `None` where the line has none: now, for whoever reads it.
    pub timestamp: Option<Timestamp>,
}

impl Point<'_> {
    /// The value of a tag.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'a> {
    /// `1.5`, `1`, `-2e10`: never infinite, never no number.
    Float(f64),
    /// `-42i`.
    Integer(i64),
    /// `42u`.
    Unsigned(u64),
    /// `"text"`.
    Text(Cow<'a, str>),
    /// `t`, `true`, `F`, `False` and so on.
    Boolean(bool),
}

impl FieldValue<'_> {
    /// The value as a number; text and booleans are none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a measured number, not an identity")]
    pub const fn as_number(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Integer(value) => Some(*value as f64),
            Self::Unsigned(value) => Some(*value as f64),
            Self::Text(_) | Self::Boolean(_) => None,
        }
    }

    /// The value as a whole number: floats rounded, what is too large as the largest; text and booleans are none.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "casts of floats saturate")]
    pub fn as_whole(&self) -> Option<i64> {
        match self {
            Self::Float(value) => Some(value.round() as i64),
            Self::Integer(value) => Some(*value),
            Self::Unsigned(value) => Some(i64::try_from(*value).unwrap_or(i64::MAX)),
            Self::Text(_) | Self::Boolean(_) => None,
        }
    }
}

/// A line that is not line protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {kind}")]
pub struct LineError {
    /// Number of the line at which it begins, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub kind: LineErrorKind,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineErrorKind {
    /// It begins with a comma or a space.
    #[error("no measurement: a line begins with its name, for example cpu,host=a usage_idle=97.5 1465839830")]
    NoMeasurement,
    /// A tag without `=`, without a name or without a value.
    #[error("a tag without a name or a value: a tag is name=value, with \\ before commas, spaces and equals signs")]
    IncompleteTag,
    /// Two tags of one name.
    #[error("two tags of one name")]
    RepeatedTag,
    /// Nothing behind measurement and tags.
    #[error("no field: a line has at least one, for example cpu usage_idle=97.5")]
    NoField,
    /// A field without `=` or without a name.
    #[error("a field without a name or a value: a field is name=value, with \\ before commas, spaces and equals signs")]
    IncompleteField,
    /// A value of no kind.
    #[error("a field's value that is no number, string or boolean: 1.5, 42i, 42u, \"text\" or true")]
    UnknownValue,
    /// A number beyond its kind.
    #[error("a number that is too large for its kind")]
    NumberTooLarge,
    /// A string without its closing quote.
    #[error("a string that is not closed: nothing after it was read")]
    StringNotClosed,
    /// Text directly behind a string's closing quote.
    #[error("text behind the end of a string: a quote inside it is written \\\"")]
    TextBehindString,
    /// What stands behind the fields is no whole number.
    #[error("the timestamp is no whole number, for example 1465839830 with precision=s")]
    UnknownTimestamp,
    /// A time that cannot be written.
    #[error("the timestamp lies outside the years 1 to 9999: is the precision right?")]
    TimestampOutOfRange,
    /// A name or string that is not UTF-8.
    #[error("text that is not UTF-8")]
    NotUtf8,
}
