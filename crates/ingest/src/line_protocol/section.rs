//! The sections of one line: measurement, tags, fields, timestamp.

use std::borrow::Cow;

use super::line_end::string_end;
use super::{FieldValue, LineErrorKind, Point, Precision};

type Result<T> = std::result::Result<T, LineErrorKind>;

/// What is left of a line.
struct Line<'a>(&'a [u8]);

/// Reads a line, which does not begin with a space.
pub(super) fn point(line: &[u8], number: u32, precision: Precision) -> Result<Point<'_>> {
    let mut line = Line(line.strip_suffix(b"\r").unwrap_or(line));
    let measurement = unescaped(line.until(b", "), b", ")?;
    if measurement.is_empty() {
        return Err(LineErrorKind::NoMeasurement);
    }
    let mut tags: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::new();
    while line.skip(b',') {
        let (name, value) = line.tag()?;
        if tags.iter().any(|(known, _)| *known == name) {
            return Err(LineErrorKind::RepeatedTag);
        }
        tags.push((name, value));
    }
    if !line.skip_spaces() || line.0.is_empty() {
        return Err(LineErrorKind::NoField);
    }
    let mut fields = vec![line.field()?];
    while line.skip(b',') {
        fields.push(line.field()?);
    }
    let spaced = line.skip_spaces();
    let timestamp = match line.0 {
        b"" => None,
        _ if !spaced => return Err(LineErrorKind::TextBehindString),
        digits => Some(timestamp(digits.trim_ascii_end(), precision)?),
    };
    Ok(Point { line: number, measurement, tags, fields, timestamp })
}

impl<'a> Line<'a> {
    /// Takes what precedes the first of `stops` that has no backslash before it.
    fn until(&mut self, stops: &[u8]) -> &'a [u8] {
        let mut at = 0;
        while let Some(byte) = self.0.get(at) {
            if *byte == b'\\' && matches!(self.0.get(at + 1), Some(b',' | b'=' | b' ')) {
                at += 2;
            } else if stops.contains(byte) {
                break;
            } else {
                at += 1;
            }
        }
        let (taken, rest) = self.0.split_at(at);
        self.0 = rest;
        taken
    }

    fn skip(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_spaces(&mut self) -> bool {
        let spaces = self.0.iter().take_while(|&&byte| byte == b' ').count();
        self.0 = &self.0[spaces..];
        spaces > 0
    }

    fn tag(&mut self) -> Result<(Cow<'a, str>, Cow<'a, str>)> {
        let name = self.until(b",= ");
        if name.is_empty() || !self.skip(b'=') {
            return Err(LineErrorKind::IncompleteTag);
        }
        let value = self.until(b",= ");
        if value.is_empty() || self.0.first() == Some(&b'=') {
            return Err(LineErrorKind::IncompleteTag);
        }
        Ok((unescaped(name, b",= ")?, unescaped(value, b",= ")?))
    }

    fn field(&mut self) -> Result<(Cow<'a, str>, FieldValue<'a>)> {
        let name = self.until(b",= ");
        if name.is_empty() || !self.skip(b'=') {
            return Err(LineErrorKind::IncompleteField);
        }
        let name = unescaped(name, b",= ")?;
        if self.skip(b'"') {
            let length = string_end(self.0).ok_or(LineErrorKind::StringNotClosed)?;
            let text = unescaped(&self.0[..length], b"\"\\")?;
            self.0 = &self.0[length + 1..];
            if !matches!(self.0.first(), None | Some(b',' | b' ')) {
                return Err(LineErrorKind::TextBehindString);
            }
            return Ok((name, FieldValue::Text(text)));
        }
        let value = self.until(b", ");
        if value.is_empty() {
            return Err(LineErrorKind::IncompleteField);
        }
        Ok((name, value_of(value)?))
    }
}

/// The text without the backslashes before characters of `special`; any other backslash stays.
fn unescaped<'a>(bytes: &'a [u8], special: &[u8]) -> Result<Cow<'a, str>> {
    let text = std::str::from_utf8(bytes).map_err(|_| LineErrorKind::NotUtf8)?;
    if !bytes.contains(&b'\\') {
        return Ok(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let next = characters.peek().and_then(|&next| u8::try_from(next).ok());
        if character == '\\' && next.is_some_and(|next| special.contains(&next)) {
            plain.extend(characters.next());
        } else {
            plain.push(character);
        }
    }
    Ok(Cow::Owned(plain))
}

fn value_of<'a>(bytes: &[u8]) -> Result<FieldValue<'a>> {
    match bytes {
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => return Ok(FieldValue::Boolean(true)),
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => return Ok(FieldValue::Boolean(false)),
        _ => {}
    }
    let text = std::str::from_utf8(bytes).map_err(|_| LineErrorKind::NotUtf8)?;
    let is_whole = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = text.strip_suffix('i') {
        if !is_whole(number.strip_prefix('-').unwrap_or(number)) {
            return Err(LineErrorKind::UnknownValue);
        }
        return number.parse().map(FieldValue::Integer).map_err(|_| LineErrorKind::NumberTooLarge);
    }
    if let Some(number) = text.strip_suffix('u') {
        if !is_whole(number) {
            return Err(LineErrorKind::UnknownValue);
        }
        return number.parse().map(FieldValue::Unsigned).map_err(|_| LineErrorKind::NumberTooLarge);
    }
    // The standard library reads `inf`, `nan` and a leading `+` too, which line protocol does not know.
    let in_form = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    let number: f64 =
        text.parse().ok().filter(|_| in_form && !text.starts_with('+')).ok_or(LineErrorKind::UnknownValue)?;
    if number.is_finite() { Ok(FieldValue::Float(number)) } else { Err(LineErrorKind::NumberTooLarge) }
}

fn timestamp(digits: &[u8], precision: Precision) -> Result<astranetmon_domain::Timestamp> {
    let text = std::str::from_utf8(digits).map_err(|_| LineErrorKind::UnknownTimestamp)?;
    let whole = text.strip_prefix('-').unwrap_or(text);
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(LineErrorKind::UnknownTimestamp);
    }
    let count: i64 = text.parse().map_err(|_| LineErrorKind::TimestampOutOfRange)?;
    precision.timestamp(count).ok_or(LineErrorKind::TimestampOutOfRange)
}
