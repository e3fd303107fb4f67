//! Labels as people type them: `site=ber`, one a line.

use std::collections::BTreeMap;

use astranetmon_domain::check_labels;
use astranetmon_http::ApiError;

use super::form::{refused, sentence};

/// The labels of such lines; what has no `=` or comes twice is refused.
pub(super) fn labels(lines: &[String]) -> Result<BTreeMap<String, String>, ApiError> {
    let mut labels = BTreeMap::new();
    for line in lines {
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| refused(format!("A label has the form name=value, such as site=ber: {line}")))?;
        let name = name.trim();
        if labels.insert(name.to_owned(), value.trim().to_owned()).is_some() {
            return Err(refused(format!("The label {name} is there twice: keep one of the lines")));
        }
    }
    check_labels(&labels).map_err(|invalid| refused(sentence(&invalid)))?;
    Ok(labels)
}

/// The lines of such labels.
pub(super) fn lines(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_they_are_written() {
        let typed = |lines: &[&str]| labels(&lines.iter().map(ToString::to_string).collect::<Vec<_>>());
        let read = typed(&["site = ber", "rack=7=a", "empty="]).expect("labels");
        assert_eq!(lines(&read), "empty=\nrack=7=a\nsite=ber");
        assert!(typed(&[]).expect("none").is_empty());
        for (wrong, told) in [
            (&["site"][..], "A label has the form name=value, such as site=ber: site"),
            (&["a=1", "a=2"], "The label a is there twice"),
            (&["a b=1"], "A label's name is 1 to 64"),
            (&["=1"], "A label's name is 1 to 64"),
        ] {
            let refusal = typed(wrong).expect_err("refused");
            assert!(refusal.message().starts_with(told), "{wrong:?}: {}", refusal.message());
        }
    }
}
