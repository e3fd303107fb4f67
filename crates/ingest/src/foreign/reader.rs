use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What becomes of a field of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// Where it stands: `download.bandwidth`, `report.hubs[].Loss%`.
    pub path: &'static str,
    /// The field of ours.
    pub target: &'static str,
    /// How it is converted; empty if it is kept as it is.
    pub rule: &'static str,
}

/// What a field became.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldUse {
    /// The field of ours.
    pub target: &'static str,
    /// How it was converted; empty if it was kept as it is.
    pub rule: &'static str,
}

/// What became of the fields of a document, by their paths. Unknown values (`null`, empty text) are no fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldReport {
    /// Taken as they are.
    pub kept: BTreeMap<String, FieldUse>,
    /// Taken in another form.
    pub converted: BTreeMap<String, FieldUse>,
    /// Not taken: nothing of ours holds them, or what was there could not be read.
    pub dropped: BTreeSet<String>,
}

impl FieldReport {
    /// Most names that are listed as dropped, whatever a file makes up.
    const MOST_DROPPED: usize = 200;

    /// Adds what became of another document's fields. What one document kept is not listed as dropped for another.
    pub fn merge(&mut self, other: &Self) {
        let owned = |(path, field): (&String, &FieldUse)| (path.clone(), field.clone());
        self.kept.extend(other.kept.iter().map(owned));
        self.converted.extend(other.converted.iter().map(owned));
        self.dropped.extend(other.dropped.iter().take(Self::MOST_DROPPED).cloned());
        self.dropped.retain(|path| !self.kept.contains_key(path) && !self.converted.contains_key(path));
        while self.dropped.len() > Self::MOST_DROPPED {
            self.dropped.pop_last();
        }
    }
}

/// Reads fields and notes which were read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    read: BTreeSet<String>,
}

/// A part of a document and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'v> {
    pub(super) value: &'v Value,
    /// `report.hubs[].`, empty for the document itself.
    pub(super) prefix: &'static str,
}

impl<'v> Part<'v> {
    pub(super) const fn of_document(value: &'v Value) -> Self {
        Self { value, prefix: "" }
    }

    fn get(self, path: &str) -> Option<&'v Value> {
        path.split('.').try_fold(self.value, |value, name| value.get(name)).filter(|value| !value.is_null())
    }

    /// The elements of an array, as parts of their own.
    pub(super) fn elements(self, path: &str, prefix: &'static str) -> impl Iterator<Item = Part<'v>> + use<'v> {
        let elements = self.get(path).and_then(Value::as_array).into_iter().flatten();
        elements.map(move |value| Part { value, prefix })
    }
}

impl Reader {
    /// Notes a field as read if there is a value.
    fn note<T>(&mut self, part: Part<'_>, path: &str, value: Option<T>) -> Option<T> {
        if value.is_some() {
            self.read.insert(format!("{}{path}", part.prefix));
        }
        value
    }

    /// A finite number, written as one or as text.
    pub(super) fn number(&mut self, part: Part<'_>, path: &str) -> Option<f64> {
        let number = match part.get(path) {
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            _ => None,
        };
        self.note(part, path, number.filter(|number: &f64| number.is_finite()))
    }

    /// A number of 0 or more; tools write -1 for what they do not know.
    pub(super) fn measured(&mut self, part: Part<'_>, path: &str) -> Option<f64> {
        self.number(part, path).filter(|&number| number >= 0.0)
    }

    /// A whole number of 0 or more, below 2^53.
    #[expect(clippy::cast_possible_truncation, reason = "in range")]
    pub(super) fn whole(&mut self, part: Part<'_>, path: &str) -> Option<i64> {
        let number = self.measured(part, path)?;
        (number < 9_007_199_254_740_992.0).then_some(number as i64)
    }

    /// Text that is not empty.
    pub(super) fn text(&mut self, part: Part<'_>, path: &str) -> Option<String> {
        let text = match part.get(path) {
            Some(Value::String(text)) => Some(text.trim().to_owned()),
            _ => None,
        };
        self.note(part, path, text.filter(|text| !text.is_empty()))
    }

    /// What became of the document's fields.
    pub(super) fn report(&self, document: &Value, rules: &'static [FieldRule]) -> FieldReport {
        let mut paths = BTreeSet::new();
        leaves(document, "", &mut paths);
        let mut report = FieldReport::default();
        for path in paths {
            // Speedtest Tracker keeps the tool's document inside its own.
            let plain = path.strip_prefix("data.").unwrap_or(&path);
            let rule = rules.iter().find(|rule| rule.path == plain).filter(|_| self.read.contains(&path));
            match rule {
                Some(FieldRule { target, rule, .. }) => {
                    let list = if rule.is_empty() { &mut report.kept } else { &mut report.converted };
                    list.insert(path, FieldUse { target, rule });
                }
                None => {
                    report.dropped.insert(path);
                }
            }
        }
        report
    }
}

/// Paths of everything that is neither an object nor an array nor unknown.
fn leaves(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
    match value {
        Value::Null => {}
        Value::Array(elements) => {
            let path = format!("{path}[]");
            elements.iter().for_each(|element| leaves(element, &path, paths));
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(value, &path, paths);
            }
        }
        Value::String(text) if text.trim().is_empty() => {}
        _ => {
            paths.insert(path.to_owned());
        }
    }
}
