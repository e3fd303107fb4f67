use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// What became of the lines of a body. It is sent once everything taken is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinesAnswer {
    /// Lines that were read, comments and empty ones apart.
    #[cfg_attr(feature = "openapi", schema(example = 60))]
    pub lines: u32,
    /// Well-formed lines from which nothing is kept, such as those of single processors.
    #[cfg_attr(feature = "openapi", schema(example = 12))]
    pub unused_lines: u32,
    /// Records that are new, or that filled what had been unknown: metrics, speed tests and traceroutes.
    #[cfg_attr(feature = "openapi", schema(example = 3))]
    pub taken: u32,
    /// Records that were there already and changed nothing.
    #[cfg_attr(feature = "openapi", schema(example = 0))]
    pub known: u32,
    /// Lines that were refused; sending them again would not help.
    #[cfg_attr(feature = "openapi", schema(example = 1))]
    pub refused: u32,
    /// The first 100 refused lines, each with the reason.
    pub refused_lines: Vec<RefusedLine>,
    /// Measurements and fields that are not mapped, each named once, at most 32 of them.
    #[cfg_attr(feature = "openapi", schema(example = json!(["cpu.usage_user", "docker"])))]
    pub ignored_fields: Vec<String>,
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RefusedLine {
    /// Its number in the body, from 1.
    #[cfg_attr(feature = "openapi", schema(example = 12))]
    pub line: u32,
    /// The field of the line or of the record that is wrong; `null` if it is the line as a whole.
    #[cfg_attr(feature = "openapi", schema(example = "usage_idle"))]
    pub field: Option<String>,
    /// What is wrong, and what is accepted.
    #[cfg_attr(feature = "openapi", schema(example = "must be a number"))]
    pub reason: String,
}

impl LinesAnswer {
    /// Refused lines that are named.
    const MOST_NAMED: usize = 100;

    pub(super) fn refuse(&mut self, line: u32, Refusal { field, reason }: Refusal) {
        self.refused = self.refused.saturating_add(1);
        if self.refused_lines.len() < Self::MOST_NAMED {
            let field = field.map(Cow::into_owned);
            self.refused_lines.push(RefusedLine { line, field, reason: reason.into_owned() });
        }
    }

    /// The refusals in one sentence, as senders of line protocol log it; `None` if nothing was refused.
    #[must_use]
    pub fn partial_write(&self) -> Option<String> {
        let first = self.refused_lines.first()?;
        let field = first.field.as_ref().map_or_else(String::new, |field| format!("{field} "));
        let (line, reason, refused) = (first.line, &first.reason, self.refused);
        Some(format!("partial write: {refused} lines were refused, the first is line {line}: {field}{reason}"))
    }
}
