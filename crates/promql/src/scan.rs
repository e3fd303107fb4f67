//! What a text must not hold before the parser reads it.
//!
//! Trees are walked by functions that call themselves, so that what is too deep would run out of stack; the parser
//! compiles regular expressions of any size, and makes durations of numbers that are none.

use promql_parser::util::unquote_string;
use regex::{Regex, RegexBuilder};

use crate::ParseError;

/// Operators and brackets, each of which may make a tree one deeper.
const MOST_MARKS: usize = 200;
/// Names, numbers and keywords; two operands need one operator of letters between them.
const MOST_WORDS: usize = 400;
const MOST_PATTERNS: usize = 20;
/// Bytes of a compiled regular expression.
const PATTERN_BYTES: usize = 256 << 10;
/// Characters of a duration, such as `1d12h30m15s250ms`.
const DURATION_LENGTH: usize = 20;

fn refused<T>(reason: &str) -> Result<T, ParseError> {
    Err(ParseError(reason.to_owned()))
}

/// A regular expression that is small enough, anchored at both ends.
pub(crate) fn anchored(pattern: &str) -> Result<Regex, ParseError> {
    let compiled = |text: &str| {
        let built = RegexBuilder::new(text).size_limit(PATTERN_BYTES).build();
        built.map_err(|_| ParseError(format!("invalid or too large regular expression: {pattern}")))
    };
    // By itself first: within brackets, what is none could close and open them.
    compiled(pattern)?;
    compiled(&format!("^(?s:{pattern})$"))
}

/// The text with its raw strings as quoted ones, which the parser reads right.
///
/// # Errors
/// [`ParseError`] for what the parser or the evaluation could not take.
pub(crate) fn checked(text: &str) -> Result<String, ParseError> {
    let mut scan = Scan { rest: text, out: String::with_capacity(text.len() + 16), ..Scan::default() };
    while let Some(letter) = scan.rest.chars().next() {
        scan.take(letter)?;
    }
    if scan.marks > MOST_MARKS {
        return refused("the query has too many operators and brackets");
    }
    if scan.words > MOST_WORDS {
        return refused("the query has too many names and numbers");
    }
    Ok(scan.out)
}

#[derive(Default)]
struct Scan<'a> {
    rest: &'a str,
    out: String,
    marks: usize,
    words: usize,
    patterns: usize,
    /// Brackets of ranges that are open.
    ranges: usize,
    /// Whether the next number is an offset.
    offset: bool,
    /// Whether the next string is a pattern.
    pattern: bool,
}

impl Scan<'_> {
    fn take(&mut self, first: char) -> Result<(), ParseError> {
        match first {
            '"' | '\'' | '`' => self.string(first),
            '#' => {
                // The parser ends a comment at either.
                let end = self.rest.find(['\n', '\r']).unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
                Ok(())
            }
            letter if is_of_word(letter) && !(letter == ':' && self.ranges > 0) => self.word(),
            letter => {
                match letter {
                    '[' => self.ranges += 1,
                    ']' => self.ranges = self.ranges.saturating_sub(1),
                    _ => {}
                }
                self.marks += usize::from("([{+-*/%^=!<>@".contains(letter));
                if !letter.is_whitespace() {
                    self.pattern = letter == '~';
                    // Signs and brackets may stand before the number.
                    self.offset &= "-+(".contains(letter);
                }
                self.push(letter.len_utf8());
                Ok(())
            }
        }
    }

    fn push(&mut self, bytes: usize) {
        let (taken, rest) = self.rest.split_at(bytes);
        self.out.push_str(taken);
        self.rest = rest;
    }

    fn word(&mut self) -> Result<(), ParseError> {
        // In a range, `:` stands between its length and its step.
        let ends = |letter| !is_of_word(letter) || self.ranges > 0 && letter == ':';
        let length = self.rest.find(ends).unwrap_or(self.rest.len());
        let word = &self.rest[..length];
        let is_number = word.starts_with(|letter: char| letter.is_ascii_digit() || letter == '.');
        if is_number && (self.ranges > 0 || self.offset) {
            // In seconds, it is read as a floating-point number, whatever comes of it.
            let plain = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let of_units = word.bytes().all(|byte| byte.is_ascii_digit() || b"ywdhms".contains(&byte));
            let fits = if plain { length <= 12 } else { of_units && length <= DURATION_LENGTH };
            if !fits {
                return refused("a duration is written as 300 or 1h30m");
            }
        }
        self.words += 1;
        self.offset = word.eq_ignore_ascii_case("offset");
        self.pattern = false;
        self.push(length);
        Ok(())
    }

    fn string(&mut self, quote: char) -> Result<(), ParseError> {
        let body = &self.rest[1..];
        let mut escaped = false;
        let end = body.find(|letter| {
            let ends = letter == quote && !escaped;
            escaped = letter == '\\' && !escaped && quote != '`';
            ends
        });
        let Some(end) = end else { return refused("a string is not closed") };
        let literal = &self.rest[..end + 2];
        let is_pattern = std::mem::take(&mut self.pattern);
        self.offset = false;
        let value = if quote == '`' { Ok(body[..end].to_owned()) } else { unquote_string(literal) };
        if is_pattern {
            self.patterns += 1;
            if self.patterns > MOST_PATTERNS {
                return refused("the query has too many regular expressions");
            }
            anchored(&value.map_err(ParseError)?)?;
        }
        if quote == '`' {
            let quoted =
                body[..end].replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
            self.out.push('"');
            self.out.push_str(&quoted);
            self.out.push('"');
            self.rest = &body[end + 1..];
        } else {
            self.push(end + 2);
        }
        Ok(())
    }
}

fn is_of_word(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | ':' | '.')
}

#[cfg(test)]
mod tests {
    use super::{MOST_MARKS, checked};
    use crate::Query;

    #[test]
    fn deep_queries_are_refused_and_those_at_the_bound_are_answered() {
        for (open, close) in [("(", ")"), ("-", ""), ("abs(", ")"), ("sum(", ")"), ("max_over_time(", "[1m:1m])")] {
            let nested = |depth: usize| format!("{}up{}", open.repeat(depth), close.repeat(depth));
            let most = MOST_MARKS / (1 + close.matches('[').count());
            assert!(Query::parse(&nested(most)).is_ok(), "{open}");
            assert!(Query::parse(&nested(most + 1)).is_err(), "{open}");
        }
        for operator in [" + ", " or ", " > "] {
            let chain = |length: usize| vec!["up"; length].join(operator);
            assert!(Query::parse(&chain(190)).is_ok(), "{operator}");
            assert!(Query::parse(&chain(2_000)).is_err(), "{operator}");
        }
        for comment in ["#\n", "#\r", "#\r\n"] {
            let hidden = format!("time() {comment}+{}time()", "-".repeat(15_000));
            assert!(Query::parse(&hidden).is_err(), "{comment:?}");
        }
    }

    #[test]
    fn what_stands_in_strings_and_comments_nests_nothing() {
        let long = "((((".repeat(500);
        for text in [
            format!("up{{a=\"{long}\"}}"),
            format!("up{{a='\\'{long}'}}"),
            format!("up{{a=\"\\\\\", b=\"{long}\"}}"),
            format!("up{{a=`\\{long}\"`}}"),
            format!("up # {long}\n + 1"),
        ] {
            assert!(Query::parse(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn raw_strings_are_read_as_they_stand() {
        assert_eq!(checked(r#"up{a=~`\d+"`} # `"#).as_deref(), Ok(r#"up{a=~"\\d+\""} "#));
    }

    #[test]
    fn patterns_are_few_small_and_whole() {
        for pattern in ["a|b", "agent-[0-9]{1,3}", ".*", "\\\\d+", "(?i:x)"] {
            assert!(Query::parse(&format!("up{{a=~\"{pattern}\"}}")).is_ok(), "{pattern}");
        }
        for pattern in ["\\\\w{200}", "(", "a)|(?:.*", "((a{100}){100}){100}", "[", "x{2,1}"] {
            assert!(Query::parse(&format!("up{{a=~\"{pattern}\"}}")).is_err(), "{pattern}");
            let replaced = format!("label_replace(up, \"a\", \"$1\", \"b\", \"{pattern}\")");
            assert!(Query::parse(&replaced).is_err(), "{replaced}");
        }
        let many = |count: usize| format!("up{{{}}}", vec!["a=~\"b+\""; count].join(","));
        assert!(Query::parse(&many(20)).is_ok() && Query::parse(&many(21)).is_err());
    }

    #[test]
    fn durations_that_are_none_are_refused() {
        for text in
            ["[1e300]", "[1e20]", " offset 1e300", " offset -1e300", "[99999999999999999999]", "[5m:1e99]", "[1x]"]
        {
            assert!(Query::parse(&format!("last_over_time(up{text})")).is_err(), "{text}");
            assert!(Query::parse(&format!("up{text}")).is_err(), "{text}");
        }
        for text in ["up[300]", "up[1h30m]", "up offset 1w", "up offset -5m", "max_over_time(up[1h:5m] offset 90)"] {
            assert!(Query::parse(text).is_ok(), "{text}");
        }
        assert_eq!(crate::parse_duration("1m30s"), Some(90_000));
        for text in ["-1", "NaN", "1e20", "", "5"] {
            assert_eq!(crate::parse_duration(text), None, "{text}");
        }
    }
}
