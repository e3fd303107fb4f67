use crate::ApiError;

/// A query parameter that an endpoint knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// A value that is accepted, as it is written in a query.
    pub(crate) example: &'static str,
    /// Whether it may stand in a query several times.
    repeats: bool,
}

impl Parameter {
    pub(crate) const fn once(name: &'static str, example: &'static str) -> Self {
        Self { name, example, repeats: false }
    }

    const fn repeated(name: &'static str, example: &'static str) -> Self {
        Self { name, example, repeats: true }
    }
}

pub(crate) const AGENT_ID: Parameter = Parameter::repeated("agent_id", "agent-123");
pub(crate) const LABEL: Parameter = Parameter::repeated("label", "site:ber");
pub(crate) const START_DATE: Parameter = Parameter::once("start_date", "2026-11-23T00:00:00Z");
pub(crate) const END_DATE: Parameter = Parameter::once("end_date", "2026-11-24T00:00:00Z");
pub(crate) const LIMIT: Parameter = Parameter::once("limit", "100");
/// The example stands for what a `Link` header gave.
pub(crate) const CURSOR: Parameter = Parameter::once("cursor", "…");

/// The example stands for what a `Sync-Cursor` header gave.
pub(crate) const AFTER: Parameter = Parameter::once("after", "…");
pub(crate) const SORT: Parameter = Parameter::once("sort", "oldest_first");
pub(crate) const KINDS: Parameter = Parameter::repeated("kinds", "metrics,speedtests");

pub(crate) const SECONDS: Parameter = Parameter::once("seconds", "60");

pub(crate) const FIELDS: Parameter = Parameter::repeated("fields", "agent_id,timestamp");
pub(crate) const INCLUDE: Parameter = Parameter::once("include", "latest");
pub(crate) const FORMAT: Parameter = Parameter::once("format", "csv");

pub(crate) const INTERVAL: Parameter = Parameter::once("interval", "5m");
pub(crate) const POINTS: Parameter = Parameter::once("points", "300");
pub(crate) const AGG: Parameter = Parameter::repeated("agg", "avg,max");
pub(crate) const GROUP_BY: Parameter = Parameter::once("group_by", "label:site");
pub(crate) const FILL: Parameter = Parameter::once("fill", "null");

pub(crate) const STATUS: Parameter = Parameter::once("status", "failed");
pub(crate) const AGENT_STATUS: Parameter = Parameter::once("status", "online");
pub(crate) const PROVIDER: Parameter = Parameter::once("provider", "librespeed");
pub(crate) const MIN_DOWNLOAD_MBPS: Parameter = Parameter::once("min_download_mbps", "100");
pub(crate) const MAX_DOWNLOAD_MBPS: Parameter = Parameter::once("max_download_mbps", "100");
pub(crate) const MIN_UPLOAD_MBPS: Parameter = Parameter::once("min_upload_mbps", "20");
pub(crate) const MAX_UPLOAD_MBPS: Parameter = Parameter::once("max_upload_mbps", "20");
pub(crate) const MIN_PING_MS: Parameter = Parameter::once("min_ping_ms", "50");
pub(crate) const MAX_PING_MS: Parameter = Parameter::once("max_ping_ms", "50");
pub(crate) const TARGET: Parameter = Parameter::once("target", "example.com");
pub(crate) const PROTOCOL: Parameter = Parameter::once("protocol", "icmp");
pub(crate) const REACHED: Parameter = Parameter::once("reached", "false");
pub(crate) const CHANGES_ONLY: Parameter = Parameter::once("changes_only", "true");

/// A query string, decoded: known parameters only, each at most once unless it repeats.
#[derive(Debug, Default)]
pub(crate) struct QueryString {
    pairs: Vec<(Parameter, String)>,
}

impl QueryString {
    /// Reads a query string as browsers and curl write it; a `+` is a space.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for a broken escape, a parameter that is not in `known`, and one that is given twice.
    pub(crate) fn parse(raw: &str, known: &[Parameter]) -> Result<Self, ApiError> {
        let mut pairs: Vec<(Parameter, String)> = Vec::new();
        for piece in raw.split('&').filter(|piece| !piece.is_empty()) {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            let parameter =
                known.iter().find(|parameter| parameter.name == name).ok_or_else(|| unknown(&name, known))?;
            if !parameter.repeats && pairs.iter().any(|(given, _)| given == parameter) {
                let Parameter { name, example, .. } = parameter;
                return Err(ApiError::BadRequest(format!(
                    "Repeated parameter: {name} is accepted once, for example {name}={example}"
                )));
            }
            pairs.push((*parameter, value));
        }
        Ok(Self { pairs })
    }

    /// The value that was given, the first of several.
    pub(crate) fn get(&self, parameter: Parameter) -> Option<&str> {
        self.pairs.iter().find(|(given, _)| *given == parameter).map(|(_, value)| value.as_str())
    }

    /// All values that were given, in their order.
    pub(crate) fn all(&self, parameter: Parameter) -> impl Iterator<Item = &str> {
        self.pairs.iter().filter(move |(given, _)| *given == parameter).map(|(_, value)| value.as_str())
    }

    /// The members of a list: what commas separate in whatever was given, since some clients repeat the name instead.
    /// `None` if nothing was.
    pub(crate) fn list(&self, parameter: Parameter) -> Option<Vec<&str>> {
        let members: Vec<&str> = self.all(parameter).flat_map(|text| text.split(',')).collect();
        (!members.is_empty()).then_some(members)
    }

    /// Everything that was given, in its order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Parameter, &str)> {
        self.pairs.iter().map(|(parameter, value)| (*parameter, value.as_str()))
    }

    /// The query string again, without `left_out`, escaped and with `&` behind each parameter.
    pub(crate) fn without(&self, left_out: Parameter) -> String {
        let mut text = String::new();
        for (parameter, value) in self.pairs.iter().filter(|(parameter, _)| *parameter != left_out) {
            text.push_str(parameter.name);
            text.push('=');
            encode(value, &mut text);
            text.push('&');
        }
        text
    }
}

fn unknown(name: &str, known: &[Parameter]) -> ApiError {
    let names: Vec<_> = known.iter().map(|parameter| parameter.name).collect();
    let near = nearest(name, &names).and_then(|near| known.iter().find(|parameter| parameter.name == near));
    ApiError::BadRequest(match (near, known) {
        (_, []) => "Unknown parameter: this path takes none, for example send it without a query".to_owned(),
        (Some(Parameter { name, example, .. }), _) => {
            format!("Unknown parameter: did you mean {name}, for example {name}={example}")
        }
        (None, [first, ..]) => {
            format!(
                "Unknown parameter: this path takes {}, for example {}={}",
                names.join(", "),
                first.name,
                first.example
            )
        }
    })
}

/// Names as a sentence has them: with commas, and an or before the last.
pub(crate) fn enumerated(names: &[&str]) -> String {
    match names {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        few => few.concat(),
    }
}

/// The known name that the caller may have meant.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    // Names further away than this are no slips of the keyboard; a suggestion would only mislead. Beyond the longest
    // name there is nothing to compare, however much was sent.
    (name.len() <= 64)
        .then(|| known.iter().copied().max_by(|a, b| likeness(name, a).total_cmp(&likeness(name, b))))
        .flatten()
        .filter(|known| likeness(name, known) > 0.5)
}

fn likeness(name: &str, known: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&name.to_lowercase(), known)
}

pub(crate) fn decode(text: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                match (digit(rest.next()), digit(rest.next())) {
                    (Some(high), Some(low)) => (high * 16 + low).to_le_bytes()[0],
                    _ => {
                        return Err(ApiError::BadRequest(
                            "Malformed query: % is followed by two hexadecimal digits, for example %2B for +"
                                .to_owned(),
                        ));
                    }
                }
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes)
        .map_err(|_| ApiError::BadRequest("Malformed query: text is UTF-8, for example %C3%A4 for ä".to_owned()))
}

fn encode(value: &str, text: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':') {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KNOWN: [Parameter; 2] = [AGENT_ID, LIMIT];

    #[test]
    fn a_query_is_decoded_as_browsers_write_it() {
        let query = QueryString::parse("&agent_id=a%2Bb+c%c3%A4=&&limit", &KNOWN).expect("well-formed");
        assert_eq!(query.get(AGENT_ID), Some("a+b cä="));
        assert_eq!(query.get(LIMIT), Some(""));
        assert_eq!(query.without(LIMIT), "agent_id=a%2Bb%20c%C3%A4%3D&");
        assert_eq!(QueryString::parse("", &KNOWN).expect("empty").get(LIMIT), None);
    }

    #[test]
    fn the_nearest_known_name_is_offered() {
        for (query, expected) in [
            ("agentid=1", "Unknown parameter: did you mean agent_id, for example agent_id=agent-123"),
            ("AGENT_ID=1", "Unknown parameter: did you mean agent_id, for example agent_id=agent-123"),
            ("limits", "Unknown parameter: did you mean limit, for example limit=100"),
            ("zzz", "Unknown parameter: this path takes agent_id, limit, for example agent_id=agent-123"),
        ] {
            let error = QueryString::parse(query, &KNOWN).expect_err("unknown");
            assert_eq!(error.message(), expected, "{query}");
        }
    }

    proptest! {
        #[test]
        fn any_value_survives_being_written_and_read(value in any::<String>()) {
            let mut raw = String::from("agent_id=");
            encode(&value, &mut raw);
            let query = QueryString::parse(&raw, &KNOWN).expect("escaped");
            prop_assert_eq!(query.get(AGENT_ID), Some(value.as_str()));
            prop_assert_eq!(query.without(LIMIT), raw + "&");
        }

        #[test]
        fn no_query_makes_it_panic(raw in "\\PC*") {
            let _ = QueryString::parse(&raw, &KNOWN);
        }
    }
}
