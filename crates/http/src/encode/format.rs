use actix_web::http::header::{self, HeaderMap};

use crate::ApiError;
use crate::negotiation::preferences;
use crate::query::{FORMAT, QueryString, enumerated};

/// What a Parquet file is called.
#[cfg(feature = "parquet")]
pub(crate) const PARQUET: &str = "application/vnd.apache.parquet";

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One object with the rows and their total.
    Json,
    /// A line a row, and a last one that says how many there were.
    Ndjson,
    /// A table with a header row.
    Csv,
    /// An Apache Parquet file.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl Format {
    /// Every format; a caller who wants several alike gets the first of them.
    pub(crate) const ALL: &[Self] = &[
        Self::Json,
        Self::Ndjson,
        Self::Csv,
        #[cfg(feature = "parquet")]
        Self::Parquet,
    ];

    /// Its name in the parameter `format`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            #[cfg(feature = "parquet")]
            Self::Parquet => "parquet",
        }
    }

    /// Its name in `Accept`.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            #[cfg(feature = "parquet")]
            Self::Parquet => PARQUET,
        }
    }

    /// What stands in `Content-Type`.
    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::Ndjson => "application/x-ndjson; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            #[cfg(feature = "parquet")]
            Self::Parquet => PARQUET,
        }
    }

    /// The parameter decides, else `Accept`, of which a caller who wants nothing of this gets JSON all the same.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for a parameter that names no format.
    pub(crate) fn asked(query: &QueryString, headers: &HeaderMap) -> Result<Self, ApiError> {
        match query.get(FORMAT) {
            Some(name) => Self::ALL.iter().copied().find(|format| format.name() == name).ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|format| format.name()).collect();
                let names = enumerated(&names);
                ApiError::BadRequest(format!("Invalid format: a format is {names}, for example format=csv"))
            }),
            None => Ok(Self::accepted(headers)),
        }
    }

    fn accepted(headers: &HeaderMap) -> Self {
        let Some(preferences) = preferences(headers, &header::ACCEPT) else { return Self::Json };
        // How much a format is wanted, and by how precise a name.
        let wanted = |format: Self| {
            let of = |name: &str| match name {
                "*/*" => Some(0),
                name if name == format.media_type() => Some(2),
                name => name.strip_suffix("/*").filter(|kind| format.media_type().starts_with(kind)).map(|_| 1),
            };
            let named = preferences.iter().filter_map(|one| Some((of(&one.name)?, one.weight)));
            let most_precise = named.max_by_key(|(precision, _)| *precision).filter(|(_, weight)| *weight > 0);
            most_precise.map_or((0, 0), |(precision, weight)| (weight, precision))
        };
        let mut best = Self::Json;
        for format in Self::ALL {
            if wanted(*format) > wanted(best) {
                best = *format;
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn a_format_is_chosen_by_what_is_accepted() {
        for (accept, expected) in [
            ("", Format::Json),
            ("*/*", Format::Json),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format::Json),
            ("text/csv", Format::Csv),
            ("TEXT/CSV; header=present", Format::Csv),
            ("text/*", Format::Csv),
            ("text/csv, */*", Format::Csv),
            ("text/csv;q=0.5, application/json", Format::Json),
            ("text/csv;q=0.5, application/json;q=0.4", Format::Csv),
            ("text/csv;q=0", Format::Json),
            ("application/x-ndjson", Format::Ndjson),
            ("application/x-ndjson, application/json", Format::Json),
            ("application/x-ndjson, text/csv", Format::Ndjson),
            ("application/*;q=0.1, application/json;q=0", Format::Ndjson),
            ("image/png", Format::Json),
            ("application/problem+json", Format::Json),
            #[cfg(feature = "parquet")]
            (PARQUET, Format::Parquet),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).expect("header value"));
            assert_eq!(Format::accepted(&headers), expected, "{accept}");
        }
        assert_eq!(Format::accepted(&HeaderMap::new()), Format::Json);
    }
}
