use actix_web::http::header::{self, HeaderMap, HeaderValue};

use super::EntityTag;

/// Marks of content codings behind a tag: each coding of an answer is another sequence of bytes, and so has a strong
/// tag of its own.
pub(crate) const CODING_MARKS: [&str; 3] = ["-gzip", "-br", "-zstd"];

/// What answers a caller says it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum IfNoneMatch {
    /// `*`: any.
    Any,
    /// These, without their quotes.
    Tags(Vec<String>),
}

impl IfNoneMatch {
    /// `None` if the caller says nothing, or nothing that can be read.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut tags = Vec::new();
        for value in headers.get_all(header::IF_NONE_MATCH) {
            let mut rest = value.to_str().ok()?.trim_matches([' ', '\t', ',']);
            if rest == "*" {
                return Some(Self::Any);
            }
            while !rest.is_empty() {
                // Whether a tag is weak is of no matter here: the comparison is.
                let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
                let (tag, behind) = quoted.split_once('"')?;
                tags.push(tag.to_owned());
                let behind = behind.trim_start_matches([' ', '\t']);
                if !behind.is_empty() && !behind.starts_with(',') {
                    return None;
                }
                rest = behind.trim_start_matches([' ', '\t', ',']);
            }
        }
        (!tags.is_empty()).then_some(Self::Tags(tags))
    }

    /// The tag that the caller has of this answer, whatever its content coding, as it is to be given back.
    pub(crate) fn matched(&self, current: &EntityTag) -> Option<HeaderValue> {
        match self {
            Self::Any => Some(current.to_header_value()),
            Self::Tags(tags) => {
                let is_current = |tag: &&String| {
                    let mark = tag.strip_prefix(current.as_str());
                    mark.is_some_and(|mark| mark.is_empty() || CODING_MARKS.contains(&mark))
                };
                let tag = tags.iter().find(is_current)?;
                HeaderValue::try_from(format!("\"{tag}\"")).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::AccountId;

    use super::super::Canonical;
    use super::*;

    fn sent(values: &[&str]) -> Option<IfNoneMatch> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_bytes(value.as_bytes()).expect("header value"));
        }
        IfNoneMatch::of(&headers)
    }

    #[test]
    fn tags_are_read_as_callers_and_proxies_write_them() {
        let tags = |tags: &[&str]| Some(IfNoneMatch::Tags(tags.iter().map(|&tag| tag.to_owned()).collect()));
        for (values, expected) in [
            (&[][..], None),
            (&[""], None),
            (&["*"], Some(IfNoneMatch::Any)),
            (&[" * "], Some(IfNoneMatch::Any)),
            (&["\"a\""], tags(&["a"])),
            (&["W/\"a\""], tags(&["a"])),
            (&["\"a\", W/\"b,c\",\"\""], tags(&["a", "b,c", ""])),
            (&["\"a\"", ", \"b\" ,"], tags(&["a", "b"])),
            (&["a"], None),
            (&["\"a"], None),
            (&["\"a\" \"b\""], None),
            (&["w/\"a\""], None),
            (&["\u{e4}"], None),
        ] {
            assert_eq!(sent(values), expected, "{values:?}");
        }
    }

    #[test]
    fn the_current_tag_is_found_among_others_in_any_content_coding() {
        let current = EntityTag::new(&[7; 32], AccountId(1), 1, &Canonical::default());
        let text = current.as_str().to_owned();
        for (value, found) in [
            ("*".to_owned(), Some(format!("\"{text}\""))),
            (format!("\"x\", W/\"{text}\""), Some(format!("\"{text}\""))),
            (format!("\"{text}-gzip\""), Some(format!("\"{text}-gzip\""))),
            (format!("\"{text}-br\""), Some(format!("\"{text}-br\""))),
            (format!("\"{text}-x\""), None),
            (format!("\"{}\"", &text[1..]), None),
            ("\"\"".to_owned(), None),
        ] {
            let matched = sent(&[&value]).expect("tags").matched(&current);
            assert_eq!(matched.as_ref().map(|tag| tag.to_str().expect("ASCII")), found.as_deref(), "{value}");
        }
    }
}
