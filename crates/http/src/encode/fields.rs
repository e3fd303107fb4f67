use crate::ApiError;
use crate::query::{FIELDS, QueryString, nearest};

/// Some fields of a record, in its own order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    names: &'static [&'static str],
    /// A bit a name.
    chosen: u64,
}

impl Fields {
    /// All of them; a record has at most 63.
    pub(crate) const fn all(names: &'static [&'static str]) -> Self {
        Self { names, chosen: (1 << names.len()) - 1 }
    }

    /// Those that the parameter names, else all.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for a name that the record has not.
    pub(crate) fn asked(query: &QueryString, names: &'static [&'static str]) -> Result<Self, ApiError> {
        let Some(named) = query.list(FIELDS) else { return Ok(Self::all(names)) };
        let mut chosen = 0;
        for name in named {
            let index = names.iter().position(|known| *known == name).ok_or_else(|| unknown(name, names))?;
            chosen |= 1 << index;
        }
        Ok(Self { names, chosen })
    }

    pub(crate) const fn is_all(&self) -> bool {
        self.chosen == Self::all(self.names).chosen
    }

    /// Whether the field at that place of the record is among them.
    pub(crate) const fn has(&self, index: usize) -> bool {
        self.chosen >> index & 1 == 1
    }

    /// Places and names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &'static str)> {
        self.names.iter().copied().enumerate().filter(|(index, _)| self.has(*index))
    }

    /// The choice as a number.
    pub(crate) const fn bits(&self) -> u64 {
        self.chosen
    }
}

fn unknown(name: &str, names: &'static [&'static str]) -> ApiError {
    // A name may be cut short where it was not mistyped.
    let begun = || names.iter().copied().find(|known| name.len() > 1 && known.starts_with(name));
    ApiError::BadRequest(match nearest(name, names).or_else(begun) {
        Some(near) => format!("Unknown field: did you mean {near}, for example fields={near}"),
        None => format!(
            "Unknown field: the fields here are {}, for example fields={}",
            names.join(", "),
            names.iter().take(2).copied().collect::<Vec<_>>().join(",")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["id", "hostname", "status"];

    fn asked(query: &str) -> Result<Vec<&'static str>, String> {
        let query = QueryString::parse(query, &[FIELDS]).expect("well-formed");
        let fields = Fields::asked(&query, &NAMES).map_err(|error| error.message())?;
        Ok(fields.iter().map(|(_, name)| name).collect())
    }

    #[test]
    fn exactly_the_named_fields_are_chosen_in_the_records_order() {
        for (query, expected) in [
            ("", &NAMES[..]),
            ("fields=status", &["status"]),
            ("fields=status,id", &["id", "status"]),
            ("fields=id,id", &["id"]),
            ("fields=status&fields=id,id", &["id", "status"]),
            ("fields=status,hostname,id", &NAMES),
        ] {
            assert_eq!(asked(query).as_deref(), Ok(expected), "{query}");
        }
        assert!(Fields::all(&NAMES).is_all());
    }

    #[test]
    fn the_nearest_known_field_is_offered() {
        let none = "Unknown field: the fields here are id, hostname, status, for example fields=id,hostname";
        for (query, expected) in [
            ("fields=hostnam", "Unknown field: did you mean hostname, for example fields=hostname"),
            ("fields=host", "Unknown field: did you mean hostname, for example fields=hostname"),
            ("fields=id,Status", "Unknown field: did you mean status, for example fields=status"),
            ("fields=", none),
            ("fields=id,", none),
            ("fields=%2Czzzzzz", none),
        ] {
            assert_eq!(asked(query), Err(expected.to_owned()), "{query}");
        }
    }
}
